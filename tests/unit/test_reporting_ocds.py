"""OCDS: releases merge into the record that we write, and both are what our schema says."""

import json
import re
from pathlib import Path

import jsonschema
import ocdsmerge
from builders import (
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    attached,
    disputed,
    held_by,
    invoice,
    met,
    paid,
    registered,
    said,
    signed,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from services.reporting.ocds import PREFIX, Publisher, _Book, encoded, package, record, releases, stages
from services.reporting.ocds_merge import change, compiled

SCHEMA = json.loads((Path(__file__).parents[2] / "services/reporting/ocds.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
MERGER = ocdsmerge.Merger(SCHEMA)
PUBLISHER = Publisher("ocds-213czf", "Stadtwerke Beispiel", "https://data.example/package.json")


def made(story, contract="C-1"):
    """The record of a contract as it is written and read again. It shows what the last picture shows, and no more."""
    book = _Book(PUBLISHER)
    for stage in stages(story.entries(contract), lambda _: story.rules):
        book.take(stage)
    found = releases(story.entries(contract), lambda _: story.rules, PUBLISHER)
    assert found == book.releases
    written = json.loads(encoded(record(found)))
    pictured = json.loads(encoded(book._before))
    assert pruned({name: written["compiledRelease"][name] for name in pictured}) == pruned(pictured)
    names = [m["id"] for m in contract_of(pictured)["implementation"]["milestones"]]
    assert len(names) == len(set(names))
    return written


def pruned(value, name=""):
    """Without objects of lists of which nothing but the id is left, in any order: merging cannot take away more."""
    if isinstance(value, dict):
        return {key: kept for key, part in value.items() if (kept := pruned(part, key)) not in ([], {})}
    if isinstance(value, list) and name not in ("roles", "additionalIdentifiers"):
        return sorted((one for item in value if (one := pruned(item)).keys() != {"id"}), key=lambda item: item["id"])
    return value


def contract_of(release):
    return release["contracts"][0]


def milestones(release):
    return {m["id"]: m for m in contract_of(release)["implementation"]["milestones"]}


def check(written):
    """Merging gives the record; releases and record are what the schema says; dates rise."""
    assert MERGER.create_compiled_release(written["releases"]) == written["compiledRelease"]
    for release in (*written["releases"], written["compiledRelease"]):
        VALIDATOR.validate(release)
    dates = [release["date"] for release in written["releases"]]
    assert dates == sorted(set(dates))
    ids = [release["id"] for release in written["releases"]]
    assert len(ids) == len(set(ids))
    return written


FIRST = a_contract(
    a_milestone(
        "M1", "100.00", due="2026-03-10", requires=["met"], deliverables=[{"name": "FAT", "acceptance": "all"}]
    ),
    a_milestone("M2", "50.00", kind="deliverable", requires=["met"]),
    timezone="Europe/Berlin", supplier={"id": "SUP-1", "name": "Siemag", "identifiers": ["DE1"]},
    buyer={"id": "BUY-1", "name": "Stadtwerke"},
)  # fmt: skip
AMENDED = FIRST | {
    "version": 2, "amendment": an_amendment(rationale="the turbine came first"), "status": "suspended",
    "milestones": [FIRST["milestones"][0] | {"due": "2026-04-10"}, a_milestone("M3", "60.00", replaces=["M2"])],
}  # fmt: skip
OTHER_SUPPLIER = AMENDED | {
    "version": 3, "amendment": an_amendment(id="A-2", effective_from="2026-03-01"), "supplier": {"id": "SUP-2"},
    "value_cap": "500.00",
    "milestones": [a_milestone("M3", "60.00"), a_milestone("M4", "1.00", requires=["met"])],
}  # fmt: skip
ENDED = OTHER_SUPPLIER | {  # M1 comes back
    "version": 4, "amendment": an_amendment(id="A-2"), "status": "closed",
    "milestones": [AMENDED["milestones"][0], a_milestone("M3", "60.00")],
}  # fmt: skip


def test_the_first_release_says_what_was_registered():
    written = check(made(Story().tell(registered(FIRST))))
    (release,) = written["releases"]
    assert (release["ocid"], release["id"]) == ("ocds-213czf-C-1", "ocds-213czf-C-1-r1")
    assert release["tag"] == ["contract", "implementation"]
    assert contract_of(release)["value"] == {"amount": 150.0, "currency": "EUR"}
    assert {party["id"]: party["roles"] for party in release["parties"]} == {
        "BUY-1": ["buyer", "payer"], "SUP-1": ["supplier", "payee"],
    }  # fmt: skip
    one = milestones(release)["M1"]
    assert (one["type"], one["status"], one["dueDate"]) == ("payment", "scheduled", "2026-03-10T23:59:59+01:00")
    assert one["description"] == "FAT: all"
    assert milestones(release)["M2"]["type"] == "delivery"


def test_a_release_says_only_what_its_revision_changed():
    written = check(made(Story().tell(registered(FIRST), held_by(), met("M1", met_on="2026-03-01"))))
    assert [release["id"][-2:] for release in written["releases"]] == ["r1", "r3"]  # a hold is not published
    last = written["releases"][-1]
    assert (last["tag"], list(milestones(last))) == (["implementationUpdate"], ["M1"])
    assert "parties" not in last
    assert milestones(last)["M1"]["dateMet"] == "2026-03-01T00:00:00+01:00"


def test_what_is_no_longer_met_loses_its_date():
    written = check(made(Story().tell(registered(FIRST), met("M1"), met("M1", status="partiallyMet"))))
    assert milestones(written["releases"][-1])["M1"]["dateMet"] is None
    assert "dateMet" not in milestones(written["compiledRelease"])["M1"]
    assert milestones(written["compiledRelease"])["M1"]["status"] == "partiallyMet"


def test_a_payment_is_a_transaction_of_its_milestone_and_its_newest_word_counts():
    written = check(made(Story().tell(registered(FIRST), paid("20.00", version=1), paid("25.10", version=2))))
    (one,) = contract_of(written["compiledRelease"])["implementation"]["transactions"]
    assert one == {
        "id": "ap/P-1/M1", "date": "2026-03-01T00:00:00+01:00", "value": {"amount": 25.1, "currency": "EUR"},
        "payer": {"id": "BUY-1", "name": "Stadtwerke"}, "payee": {"id": "SUP-1", "name": "Siemag"},
        "relatedImplementationMilestone": {"id": "M1", "title": "M1"},
    }  # fmt: skip


def test_a_payment_that_somebody_tells_without_authority_is_none():
    written = check(
        made(
            Story().tell(
                registered(FIRST), said("portal", "payment.made", payment="P", amount="1.00", paid_on="2026-03-01")
            )
        )
    )
    assert "transactions" not in contract_of(written["compiledRelease"])["implementation"]


def test_an_amendment_says_why_and_which_release_it_amends():
    written = check(made(Story().tell(registered(FIRST), registered(AMENDED))))
    release = written["releases"][-1]
    assert release["tag"] == ["contractAmendment"]
    (amendment,) = contract_of(release)["amendments"]
    assert (amendment["id"], amendment["rationale"]) == ("A-1", "the turbine came first")
    assert (amendment["amendsReleaseID"], amendment["releaseID"]) == ("ocds-213czf-C-1-r1", "ocds-213czf-C-1-r2")
    assert contract_of(written["compiledRelease"])["value"]["amount"] == 160.0
    assert milestones(release)["M1"]["dueDate"] == "2026-04-10T23:59:59+02:00"


def test_a_milestone_that_was_replaced_stays_and_says_so():
    written = check(made(Story().tell(registered(FIRST), paid("10.00", milestone="M2"), registered(AMENDED))))
    gone = milestones(written["compiledRelease"])["M2"]
    assert (gone["status"], gone["description"]) == ("notMet", "Replaced by M3.")
    (one,) = contract_of(written["compiledRelease"])["implementation"]["transactions"]
    assert one["value"]["amount"] == 10.0


def test_a_milestone_that_was_met_before_it_left_the_plan_stays_met():
    written = check(made(Story().tell(registered(FIRST), met("M2"), registered(AMENDED))))
    gone = milestones(written["compiledRelease"])["M2"]
    assert (gone["status"], gone["dateMet"]) == ("met", "2026-03-01T00:00:00+01:00")


def test_a_contingency_adds_nothing_to_the_value_of_a_contract():
    plan = a_contract(a_milestone("M1", "100.00"), a_milestone("M1B", "100.00", contingency_for="M1"))
    assert contract_of(check(made(Story().tell(registered(plan))))["compiledRelease"])["value"]["amount"] == 100.0


def test_an_amendment_that_waits_for_its_day_is_published_when_it_is_in_force():
    waits = AMENDED | {"amendment": an_amendment(effective_from="2026-03-05")}
    story = Story().tell(registered(FIRST), registered(waits))
    assert len(made(story)["releases"]) == 1
    story.now = story.now.replace(day=6)
    written = check(made(story.tell(met("M1"))))
    assert contract_of(written["compiledRelease"])["amendments"][0]["date"] == "2026-03-04T23:00:00.000000Z"


def test_who_was_paid_stays_so_when_another_supplier_takes_over():
    story = Story().tell(registered(FIRST), paid("10.00"), registered(AMENDED), registered(OTHER_SUPPLIER))
    written = check(made(story.tell(paid("20.00", "P-2", milestone="M3"))))
    found = {
        t["id"]: t["payee"]["id"] for t in contract_of(written["compiledRelease"])["implementation"]["transactions"]
    }
    assert found == {"ap/P-1/M1": "SUP-1", "ap/P-2/M3": "SUP-2"}
    assert milestones(written["compiledRelease"])["M1"]["description"] == "FAT: all; No longer in the plan."


def test_the_end_of_a_contract_is_a_termination_and_two_amendments_of_one_name_are_two():
    story = Story().tell(*(registered(plan) for plan in (FIRST, AMENDED, OTHER_SUPPLIER, ENDED)))
    written = check(made(story))
    assert written["releases"][-1]["tag"] == ["contractAmendment", "contractTermination"]
    assert milestones(written["compiledRelease"])["M1"]["description"] == "FAT: all"
    assert [a["id"] for a in contract_of(written["compiledRelease"])["amendments"]] == ["A-1", "A-2", "A-2/4"]


def test_evidence_with_an_address_is_a_document_until_it_is_removed():
    story = Story().tell(registered(FIRST), attached(uri="https://files.example/fat.pdf"), attached("plain", "b" * 64))
    story.tell(attached("shelf", "c" * 64, uri="third shelf, left"))
    (document,) = milestones(check(made(story))["compiledRelease"])["M1"]["documents"]
    assert (document["title"], document["url"]) == ("fat", "https://files.example/fat.pdf")
    assert document["description"] == f"SHA-256 {'a' * 64}"
    story.tell(said("office", "evidence.removed", name="fat"))
    assert milestones(check(made(story))["compiledRelease"])["M1"]["documents"] == [{"id": "M1/fat/office"}]


def test_nobodys_name_is_published():
    story = Story(people={"jane": ["office:jane"]}).tell(registered(FIRST), signed(), registered(AMENDED), held_by())
    text = encoded(record(releases(story.entries(), lambda _: story.rules, PUBLISHER))).decode()
    assert not re.search("jane|rita|anna|olga", text)


def test_amounts_are_written_with_the_decimals_of_their_currency():
    yen = a_contract(a_milestone("M1", "12345678901234"), currency="JPY")
    text = encoded(record(releases(Story().tell(registered(yen)).entries(), lambda _: Story().rules, PUBLISHER)))
    assert b'"value":{"amount":12345678901234,"currency":"JPY"}' in text
    euro = encoded(record(releases(Story().tell(registered(FIRST)).entries(), lambda _: Story().rules, PUBLISHER)))
    assert b'"amount":150.00' in euro


def test_every_object_names_itself_first_so_that_the_same_log_gives_the_same_bytes():
    story = Story().tell(registered(FIRST), met("M1"), paid("1.00"))
    first, *others = releases(story.entries(), lambda _: story.rules, PUBLISHER)
    assert [[*contract_of(release)][:2] for release in (first, *others)] == [["id", "awardID"]] * 3


def test_a_contract_whose_plan_is_not_in_force_has_no_release():
    assert releases([], lambda _: Story().rules, PUBLISHER) == []


def test_a_package_names_who_publishes_it():
    written = package(PUBLISHER, "releases", [], "2026-03-01T00:00:00.000000Z")
    assert written["publisher"] == {"name": "Stadtwerke Beispiel"}
    assert (written["version"], written["uri"]) == ("1.1", "https://data.example/package.json")
    assert PREFIX.fullmatch("ocds-213czf")


def test_our_schema_refuses_what_we_do_not_write():
    release = made(Story().tell(registered(FIRST)))["releases"][0]
    assert VALIDATOR.is_valid(release)
    assert not VALIDATOR.is_valid(release | {"planning": {}})
    assert not VALIDATOR.is_valid(release | {"date": "2026-03-01"})
    assert not VALIDATOR.is_valid(release | {"tag": ["tender"]})


def test_an_empty_list_of_objects_takes_nothing_away():
    heads = [
        {"ocid": "ocds-213czf-1", "id": n, "date": n, "tag": ["contract"], "initiationType": "tender"} for n in "12"
    ]
    first, then = heads[0] | {"parties": [{"id": "a", "roles": ["buyer"]}]}, heads[1] | {"parties": [], "awards": []}
    merged = MERGER.create_compiled_release([first, then])
    assert compiled([first, then]) == merged
    assert merged["parties"] == first["parties"]


# Whatever happens

WORDS = st.sampled_from(["x", "y"])
INNER = st.dictionaries(st.sampled_from(["p", "q"]), WORDS, min_size=1)
PARTS = st.lists(st.builds(lambda n, more: {"id": n} | more, st.sampled_from("ab"), INNER), min_size=1,
                 unique_by=lambda part: part["id"])  # fmt: skip
THINGS = st.fixed_dictionaries(
    {"id": st.sampled_from("stu"), "title": WORDS}, optional={"note": WORDS, "inner": INNER, "parts": PARTS}
)
PICTURES = st.fixed_dictionaries(
    {"things": st.lists(THINGS, min_size=1, unique_by=lambda thing: thing["id"])}, optional={"one": INNER}
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PICTURES, min_size=1, max_size=4))
def test_what_a_change_says_merges_into_what_came_of_it(pictures):
    head, before, said = {"ocid": "o", "initiationType": "tender"}, {}, []
    for n, picture in enumerate(pictures):
        said.append(head | {"id": str(n), "date": str(n), "tag": ["contract"]} | change(before, picture))
        before = picture
    merged = compiled(said)
    assert ocdsmerge.Merger(merge_rules=MERGER.merge_rules).create_compiled_release(said) == merged
    assert pruned({name: part for name, part in merged.items() if name in ("things", "one")}) == pruned(pictures[-1])


EVENTS = st.one_of(
    st.builds(met, st.sampled_from(["M1", "M2", "M3"]), status=st.sampled_from(["met", "partiallyMet", "notMet", None]),
              met_on=st.sampled_from(["2026-02-27", "2026-03-01", None])),
    st.builds(lambda amount, payment, milestone: paid(amount, payment, milestone), st.sampled_from(["1.00", "2.50"]),
              st.sampled_from(["P-1", "P-2"]), st.sampled_from(["M1", "M2", "M3"])),
    st.builds(lambda name, uri: attached(name, uri=uri), st.sampled_from(["fat", "sat"]),
              st.sampled_from(["https://files.example/a", "urn:x:1", "no address", None])),
    st.builds(lambda name: said("office", "evidence.removed", name=name), st.sampled_from(["fat", "sat"])),
    st.sampled_from([registered(plan) for plan in (AMENDED, OTHER_SUPPLIER, ENDED)]),
    st.just(held_by()), st.just(disputed("1.00")), st.builds(invoice, st.sampled_from(["10.00", "90.00"])),
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(st.lists(EVENTS, max_size=12))
def test_releases_of_any_history_merge_into_the_record(events):
    story = Story().tell(registered(FIRST))
    for event in events:
        story.tell(event)
    check(made(story))

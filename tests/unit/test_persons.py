"""Pseudonyms in the place of persons: what they are made of, and where they come to stand."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
from builders import (
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    held_by,
    invoice,
    met,
    record_of,
    registered,
    said,
    signed,
    waived,
)
from msgspec import UNSET
from msgspec.structs import replace

from contracts_schema import facts as f
from contracts_schema import plan as p
from contracts_schema.fact_fields import Body
from contracts_schema.money import Money
from contracts_schema.payables import Bill, Payable
from contracts_schema.persons import PERSONS, PSEUDONYM, body_with, plan_with, pseudonym_of, with_names
from contracts_schema.records import is_identifier
from mappers.statements import Origin, Part, facts
from services.gate.holders import HiddenHolders
from services.reconciliation.policy import Policy, make_rules
from services.reconciliation.pseudonyms import KNOWN_MOST, Pseudonyms
from services.runtime.known import KnownPersons
from services.settings import check
from services.wiring.gate import _without_names

KEY, OTHER = b"k" * 32, b"o" * 32
JANE, EURO = pseudonym_of(KEY, "jane"), Money(1, "EUR")


def shouted(identity):
    return identity.upper()


# What they are


def test_a_pseudonym_is_the_same_for_whoever_has_the_key_and_another_one_for_everybody_else():
    assert PSEUDONYM.fullmatch(JANE)
    assert pseudonym_of(KEY, "jane") == JANE
    assert len({JANE, pseudonym_of(OTHER, "jane"), pseudonym_of(KEY, "Jane"), pseudonym_of(KEY, "jane ")}) == 4


def test_what_is_a_pseudonym_stays_as_it_is():
    assert pseudonym_of(KEY, JANE) == pseudonym_of(OTHER, JANE) == JANE
    longer = f"{JANE}0"
    assert pseudonym_of(KEY, longer) != longer


def test_names_stand_in_a_text_again_where_they_are_known():
    text = f"'{JANE}' signed; {JANE}0 did not, nor {pseudonym_of(KEY, 'joe')}."
    assert with_names(text, {JANE: "Jane"}) == text.replace(f"'{JANE}'", "'Jane'")


# Where they stand


SAMPLES = [
    f.DeliveryClaimed(date(2026, 3, 1), by="jane"),
    f.GoodsReceived("1", "1", "0", "u", date(2026, 3, 1), by="jane"),
    f.EvidenceAttached("fat", "a", by="jane"),
    f.EvidenceRemoved("fat", by="jane"),
    f.SignOffGiven("jane", "buyer", datetime(2026, 3, 1, tzinfo=UTC), {}),
    f.SignOffWithdrawn("jane", "buyer"),
    f.InvoiceReceived("I-1", "SUP-1", EURO, date(2026, 3, 1), "open", by="jane"),
    f.DisputeOpened("D", "r", "jane", EURO),
    f.DisputeResolved("D", "r", "jane"),
    f.HoldPlaced("H", "r", "jane"),
    f.HoldLifted("H", "jane"),
    f.ReasonWaived("NOT_MET", "jane", "jane", "T-1", cause="fat"),
    f.MilestoneActivated("jane", "r"),
    f.HoldObserved("other", held=True, by="jane"),
]
PLAN = p.Plan(
    "C-1", 2, "t", "BUY-1", "SUP-1", "EUR",
    (p.Milestone("M1", "t", "payment", 1, owner="jane", opening=p.Opening(1, date(2026, 1, 1), "B", "jane")),),
    sign_off=p.SignOff(authority=(p.Authority("jane", "buyer"),)),
    amendment=p.Amendment("A", "approved", "why", "jane", "jane"),
)  # fmt: skip


@pytest.mark.parametrize("body", SAMPLES, ids=lambda body: type(body).__name__)
def test_a_fact_has_others_in_the_place_of_persons_and_is_else_the_same(body):
    other = body_with(body, shouted)
    assert other == replace(body, **dict.fromkeys(PERSONS[type(body)], "JANE"))
    assert body_with(other, shouted) is other


def test_there_is_a_sample_of_every_fact_that_names_a_person():
    assert {type(body) for body in SAMPLES} == {kind for kind in PERSONS if issubclass(kind, Body)}


def test_what_names_nobody_is_the_very_same():
    for body in (f.Assessed("met"), f.DeliveryClaimed(date(2026, 3, 1)), replace(SAMPLES[1], by=UNSET)):
        assert body_with(body, shouted) is body


def test_a_plan_has_others_in_the_place_of_persons_and_is_else_the_same():
    plan = plan_with(PLAN, shouted)
    back = plan_with(plan, str.lower)
    assert p.encode_plan(plan).count(b"JANE") == 5
    assert b"jane" not in p.encode_plan(plan)
    assert back == PLAN
    body = f.ContractRegistered(2, p.encode_plan(PLAN))
    assert body_with(body, shouted).plan == p.encode_plan(plan)
    assert body_with(body, str.lower) is body


def test_the_cause_of_duties_that_are_not_separated_is_a_person_and_no_other_cause_is():
    duties = f.ReasonWaived("DUTIES_NOT_SEPARATED", "walt", "anna", "T-1", cause="jane")
    assert body_with(duties, shouted).cause == "JANE"
    assert body_with(replace(duties, code="EVIDENCE_MISSING"), shouted).cause == "jane"
    assert body_with(replace(duties, cause=None), shouted).cause is None


def test_an_id_that_was_made_over_a_person_says_nothing_of_whom():
    def made(by):
        origin = Origin("portal", "despatch:7", 5, 1)
        return facts(origin, [Part(("line:1",), f.DeliveryClaimed(date(2026, 3, 1), by=by))])

    [plain], [hidden] = made("jane"), Pseudonyms(KEY).hide(made("jane")).facts
    assert hidden.id.startswith("despatch:7@5#")
    assert hidden.id != plain.id
    [said_so], [other] = made(JANE), Pseudonyms(OTHER).hide(made("jane")).facts
    assert len({hidden.id, said_so.id, plain.id, other.id}) == 4
    assert Pseudonyms(KEY).hide((hidden,)).facts == (hidden,)
    assert Pseudonyms(KEY).hide(made("jane")).facts == (hidden,)
    assert Pseudonyms(KEY).hide(made(None)).facts == made(None)


def test_a_process_forgets_pseudonyms_when_there_are_too_many_and_makes_them_anew():
    pseudonyms = Pseudonyms(KEY)
    first = pseudonyms.of("jane")
    pseudonyms._known.update({str(n): "x" for n in range(KNOWN_MOST)})
    assert (pseudonyms.of("joe"), pseudonyms.of("jane")) == (pseudonym_of(KEY, "joe"), first)
    assert len(pseudonyms._known) == 2


# The rulebook's people


@pytest.mark.parametrize("entry", ["17", "erp:17", "a:b:c", ":x", "erp:", JANE, f"erp:{JANE}"])
def test_an_identity_is_one_person_as_before_whatever_colons_it_has(entry):
    pseudonyms, people = Pseudonyms(KEY), {"jane": [entry], "joe": ["pm:9"]}
    plain = make_rules({}, people, Policy())
    hidden = make_rules({}, pseudonyms.people(people), Policy())
    for source in ("", "erp", "pm", "a", "a:b"):
        for identity in ("17", "c", "b:c", "a:b:c", ":x", "x", "9", "jane", "erp:17", "erp:", "pm:9", JANE):
            found = hidden.person(source, pseudonyms.of(identity))
            assert found == pseudonyms.of(plain.person(source, identity)), (source, identity)
    assert b"joe" not in hidden.rulebook.content


# What follows


def a_story(**more):
    return Story(pseudonyms=Pseudonyms(KEY), **more)


def test_one_person_of_two_names_is_still_one():
    story = a_story(people={"jane": ["portal:jd"]})
    story.tell(registered(a_contract(a_milestone(requires=["met", "signed_off"]))), met(), signed("jane"))
    story.tell(invoice("100.00", by="jd"))
    assert story.reasons() == ["DUTIES_NOT_SEPARATED"]
    [reason] = story.position().reasons
    assert reason.detail.startswith(f"{JANE} ")
    story.tell(waived("DUTIES_NOT_SEPARATED", cause="joe"))
    assert story.reasons() == ["DUTIES_NOT_SEPARATED"]
    story.tell(waived("DUTIES_NOT_SEPARATED", cause="jane"))
    assert story.reasons() == []


def test_a_refusal_names_nobody_and_the_name_is_known_all_the_same():
    story = a_story().tell(registered(a_contract()), waived("NOT_MET", by="anna"))
    [sentence] = story.quarantined
    assert "anna" not in sentence
    assert "anna" in {row.name for row in story.store._tables.persons.values()}


@pytest.mark.parametrize("by", ["Erika\tMustermann", "E" * 301, {"name": "Erika Mustermann"}, ["Erika"]])
def test_a_sentence_shows_no_person_who_cannot_be_read(by):
    story = a_story().tell(registered(a_contract()), said("office", "hold.placed", hold="H", reason="r", by=by))
    [sentence] = story.quarantined
    assert "by: " in sentence
    assert "E" not in sentence.partition("by: ")[2]
    assert b"Erika" not in story.raw()


def test_a_repeat_stays_a_repeat_and_a_pseudonym_means_the_person_it_is_made_of():
    story = a_story().tell(registered(a_contract(a_milestone(requires=["signed_off"]))), signed("jane", event="s-1"))
    for by in ("jane", JANE):
        story.carry([record_of(signed(by, event="s-1"), story.now, "s-1")])
    assert story.outcomes[-2:] == ["duplicate", "duplicate"]


def test_a_name_is_written_once_by_a_worker_and_only_after_the_commit_counts_as_written():
    known = KnownPersons(most=3)
    assert known.new([{"p1": "b", "p0": "a"}, {"p1": "b"}]) == [("p0", "a"), ("p1", "b")]
    assert known.new([{"p1": "b"}]) == [("p1", "b")]
    known.keep([("p0", "a"), ("p1", "b")])
    assert known.new([{"p1": "b"}]) == []
    known.keep([("p2", "c"), ("p3", "d")])  # too many: all are met anew
    assert known.new([{"p1": "b", "p3": "d"}]) == [("p1", "b")]


def test_a_later_version_may_repeat_who_approved_an_opening():
    opened = a_milestone(opening={"released": "10.00", "as_of": "2026-01-31", "reference": "B", "approved_by": "anna"})
    story = a_story().tell(registered(a_contract(opened)))
    story.tell(registered(a_contract(opened, version=2, amendment=an_amendment())), held_by("olga"))
    assert story.quarantined == []
    assert story.state().in_force == 2
    assert b"anna" not in story.raw()


# The gate


@dataclass
class Finance:
    bill: Bill

    async def find(self, number):
        return [self.bill]

    async def get(self, bill):
        return self.bill if bill == self.bill.id else None

    async def open_bills(self, after):
        return [self.bill], "next"


@pytest.mark.parametrize("pseudonyms", [None, {"key": KEY.decode()}])
def test_a_gate_sees_finance_as_the_configuration_wants_it(pseudonyms):
    register = {"dialect": "milepost", "role": "register", "topic": "contract.events"}
    seen = _without_names(check({"sources": {"r": register}, "pseudonyms": pseudonyms}), "finance", None)
    assert seen == "finance" if pseudonyms is None else isinstance(seen, HiddenHolders)


async def test_the_gate_knows_users_of_finance_by_pseudonyms_alone():
    lines = (Payable("1", 100, blocked=True, holder="other", by="clerk"), Payable("2", 100, blocked=False))
    kept = []

    async def keep(persons):
        kept.append(persons)

    seen = HiddenHolders(Finance(Bill("inv:1", "I-1", (), "EUR", 200, 200, "open", lines)), Pseudonyms(KEY), keep)
    clerk = pseudonym_of(KEY, "clerk")
    bills, following = await seen.open_bills(None)
    for [bill] in (await seen.find("I-1"), [await seen.get("inv:1")], bills):
        assert [line.by for line in bill.lines] == [clerk, None]
    assert await seen.get("inv:2") is None
    assert (following, kept) == ("next", [{clerk: "clerk"}])


@pytest.mark.parametrize("written", ["jane ", " jane", "jan\u00e9 ", "jane\u0301"])
def test_a_person_who_is_written_otherwise_signs_once(written):
    terms = {"quorum": 2, "roles": ["site-manager"]}
    told = Story().tell(registered(a_contract(a_milestone(requires=["signed_off"]), sign_off=terms)))
    plain = "jane" if written.isascii() else "jan\u00e9"
    told.tell(signed(plain, role="site-manager"), signed(written, role="site-manager"))
    assert told.reasons() == ["SIGN_OFF_MISSING"]
    assert Pseudonyms(KEY).of(written) == Pseudonyms(KEY).of(plain)


def test_a_name_does_not_end_with_a_line():
    assert not is_identifier("jane\n")
    assert not is_identifier("jan\u00e9\n")
    told = Story().tell(registered(a_contract(a_milestone(requires=["signed_off"]))))
    told.tell(signed("jane\n"))
    assert "SIGN_OFF_MISSING" in told.reasons()

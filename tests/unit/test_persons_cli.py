"""Pseudonyms from the configuration to the command line: the key, names shown to people, and an erasure."""

import asyncio

import pytest
from desk import CONFIG, met, say

from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.persons import PSEUDONYM, pseudonym_of
from services.settings import check, load
from services.wiring.persons import identity_forms, keep_people, key_faults

KEY = "a key of the house that is long enough"
JANE = pseudonym_of(KEY.encode(), "jane")
REGISTER = {"dialect": "milepost", "role": "register", "topic": "contract.events"}


@pytest.fixture
def desk(desk):
    desk.write("key", KEY + "\n")
    people = '{jane: ["erp:17", "pm:jdoe"]}'
    desk.config.write_text(f"{CONFIG}pseudonyms: {{key_file: {desk.folder / 'key'}}}\npeople: {people}\n")
    return desk


def keep_rulebook(desk):
    book = load(desk.config).rules().rulebook
    desk.store._tables.rulebooks[book.hash] = book


def held(desk):
    desk("contract", "apply", desk.plan())
    keep_rulebook(desk)
    desk("hold", "place", "C-1/M1", "--hold", "H-1", "--reason", "under review", "--by", "olga")
    return desk


def known(desk):
    return {person["name"] for person in desk.json("persons", "list")}


# Shown again, and erased


def test_a_person_is_named_to_people_and_to_nothing_that_leaves_the_house(desk):
    held(desk)
    assert "olga placed hold H-1: under review" in desk("explain", "C-1/M1")
    [account] = desk.json("explain", "C-1/M1")
    assert "olga" not in str(account)
    assert PSEUDONYM.search(str(account["reasons"]))
    assert b"olga" not in b"".join(row.entry for row in desk.store._tables.log.values())


def test_who_was_erased_is_a_pseudonym_from_then_on_and_everything_still_proves(desk):
    held(desk)
    olga = pseudonym_of(KEY.encode(), "olga")
    assert desk.json("persons", "show", "olga") == desk.json("persons", "show", olga)
    assert olga in desk("persons", "list")
    assert "1 erased" in desk("persons", "erase", "olga")
    assert "nothing was left to erase" in desk("persons", "erase", "olga")
    assert desk.json("persons", "erase", olga) == {"pseudonyms": [olga], "erased": 0, "in_people": False}
    assert f"nobody is known as 'olga' ({olga})" in desk("persons", "show", "olga", code=1)
    assert "olga" not in desk("explain", "C-1/M1")
    assert f"{olga} placed hold H-1" in desk("explain", "C-1/M1")
    assert desk.json("verify")["faults"] == []
    desk("hold", "lift", "C-1/M1", "--hold", "H-1", "--by", "olga")  # acts again: the next worker writes the name again
    assert "olga" in known(desk)
    assert "olga placed" not in desk("explain", "C-1/M1")


def test_an_erasure_takes_every_identity_that_people_gives_a_name_and_says_that_it_still_stands_there(desk):
    held(desk)
    claim = {"contract": "C-1", "milestone": "M1", "delivered_on": "2026-03-01"}
    for n, by in enumerate(("17", "jdoe", "joe")):
        say(desk, "erp", "delivery.claimed", claim | {"by": by}, f"d-{n}")
    asyncio.run(keep_people(load(desk.config), desk.store))
    assert known(desk) >= {"17", "jdoe", "joe", "jane"}
    told = desk("persons", "erase", "jane")
    assert "3 erased" in told
    assert "backups" in told
    assert known(desk) & {"17", "jdoe", "jane"} == set()
    assert "joe" in known(desk)
    assert desk.json("persons", "erase", "jane")["in_people"]


def test_pseudonyms_in_people_mean_the_same_and_bring_no_name_back(desk):
    held(desk)
    forms = [pseudonym_of(KEY.encode(), name) for name in ("17", "jdoe")]
    before = load(desk.config).rules()
    text = desk.config.read_text().replace("jane:", f"{JANE}:")
    desk.config.write_text(text.replace("erp:17", f"erp:{forms[0]}").replace("pm:jdoe", f"pm:{forms[1]}"))
    after = load(desk.config).rules()
    for source, form in (("erp", forms[0]), ("pm", forms[1])):
        assert before.person(source, form) == after.person(source, form) == JANE
    asyncio.run(keep_people(load(desk.config), desk.store))
    assert known(desk) == {"olga"}
    assert desk.json("persons", "erase", "jane") == {"pseudonyms": sorted([JANE, *forms, *(
        pseudonym_of(KEY.encode(), whole) for whole in (f"erp:{forms[0]}", f"pm:{forms[1]}"))]),
        "erased": 0, "in_people": False}  # fmt: skip


def test_an_identity_is_meant_with_its_source_and_without():
    assert identity_forms("pm:jdoe") == {"pm:jdoe", "jdoe"}
    assert identity_forms("a:b:c") == {"a:b:c", "b:c", "c"}
    assert identity_forms("jane") == {"jane"}


def test_without_pseudonyms_there_is_nobody_to_list_and_nothing_can_be_erased(desk):
    desk.config.write_text(CONFIG)
    assert "nobody is known" in desk("persons", "list")
    for words in (("show", "jane"), ("erase", "jane")):
        assert "names stand in the log and stay there" in desk("persons", *words, code=2)


def test_what_was_asked_for_is_shown_with_pseudonyms_where_the_names_cannot_be_asked_for(desk, monkeypatch):
    held(desk)

    async def away(pseudonyms):
        raise TransientError("the store does not answer")

    monkeypatch.setattr(desk.store, "persons_of", away)
    assert f"{pseudonym_of(KEY.encode(), 'olga')} placed hold" in desk("explain", "C-1/M1")


# What people say at the command line


def test_a_word_said_at_the_command_line_counts_and_is_a_repeat_the_second_time(desk):
    desk("contract", "apply", desk.plan())
    place = ("hold", "place", "C-1/M1", "--hold", "H-1", "--reason", "r", "--by", "olga", "--id", "h-1")
    assert [desk.json(*place)["outcome"] for _ in range(2)] == ["applied", "duplicate"]
    assert desk.json("sign", "C-1/M1", "--role", "buyer", "--by", "jane")["outcome"] == "applied"
    state = asyncio.run(desk.store.state("C-1"))
    assert [name for name in (b"olga", b"jane") if name in state] == []


def test_a_refusal_names_people_to_those_who_said_it(desk):
    held(desk)
    words = ("waive", "C-1/M1", "NOT_MET", "--ticket", "T-1", "--reason", "r", "--by", "anna", "--approved-by", "anna")
    assert "'anna' cannot approve" in desk(*words, code=1)


PLAN = """
contract: C-1
version: {version}
title: Hall
buyer: {{id: B}}
supplier: {{id: S}}
currency: EUR
milestones:
  - {{id: M1, title: t, kind: payment, value: "10.00", requires: [met], owner: olga,
      opening: {{released: "1.00", as_of: 2026-01-31, reference: R, approved_by: anna}}}}
sign_off: {{authority: [{{person: jane, role: buyer}}]}}
"""
AMENDED = (
    PLAN
    + "amendment: {{id: A-1, state: approved, rationale: agreed, requested_by: {asked}, approved_by: {approved}}}\n"
)


def test_a_later_version_is_registered_like_the_first_and_its_history_names_people(desk):
    desk("contract", "apply", desk.write("one.yaml", PLAN.format(version=1)))
    two = desk.write("two.yaml", AMENDED.format(version=2, asked="rita", approved="anna"))
    desk("contract", "apply", two)
    assert desk.json("contract", "apply", two)[0]["outcome"] == "duplicate"
    assert "asked for by rita, approved by anna" in desk("contract", "history", "C-1")
    state = asyncio.run(desk.store.state("C-1"))
    assert [name for name in (b"rita", b"anna", b"jane", b"olga") if name in state] == []


def test_one_person_of_two_names_does_not_approve_their_own_change_and_is_told_so_by_name(desk):
    desk("contract", "apply", desk.write("one.yaml", PLAN.format(version=1)))
    two = desk.write("two.yaml", AMENDED.format(version=2, asked="jane", approved="jdoe"))
    desk.config.write_text(desk.config.read_text().replace('"pm:jdoe"', '"jdoe"'))
    assert "'jane' and 'jdoe' are one person, 'jane'" in desk("contract", "apply", two, code=2)


def test_a_plan_that_is_only_supposed_is_compared_person_by_person(desk):
    desk("contract", "apply", desk.write("one.yaml", PLAN.format(version=1)))
    keep_rulebook(desk)
    two = desk.write("two.yaml", AMENDED.format(version=2, asked="rita", approved="anna"))
    assert "no difference" in desk("what-if", "--plan", two)
    met(desk)
    assert desk.json("replay", "--all")["differing"] == []


def test_another_configuration_is_supposed_of_the_same_pseudonyms(desk):
    desk.config.write_text(desk.config.read_text().partition("people:")[0])
    desk("contract", "apply", desk.plan())
    keep_rulebook(desk)
    claim = {"contract": "C-1", "milestone": "M1", "delivered_on": "2026-03-01", "by": "17"}
    say(desk, "office", "hold.lifted", {"contract": "C-1", "milestone": "M1", "hold": "H", "by": "jane"}, "l-1")
    say(desk, "erp", "delivery.claimed", claim, "d-1")
    other = desk.write(
        "other.yaml", CONFIG.replace("role: erp", "role: supplier_portal") + 'people: {jane: ["erp:17"]}\n'
    )
    assert "DUTIES_NOT_SEPARATED" in desk("what-if", "C-1", "--with-config", other)


# The key


def settings(**more):
    return check({"sources": {"register": REGISTER}} | more)


def faults_of_key(store, **more):
    return asyncio.run(key_faults(settings(**more), store))


def test_a_store_has_one_key_from_its_first_record_on(desk):
    ours, other = {"pseudonyms": {"key": KEY}}, {"pseudonyms": {"key": KEY + "2"}}
    assert asyncio.run(key_faults(settings(**ours), desk.store, begins=False)) == []
    assert faults_of_key(desk.store) == []
    assert faults_of_key(desk.store, **ours) == []
    assert faults_of_key(desk.store, **ours) == []
    [fault] = faults_of_key(desk.store, **other)
    assert "not the one with which" in fault
    [fault] = faults_of_key(desk.store)
    assert "give the key" in fault
    assert asyncio.run(key_faults(settings(**other), desk.store, begins=False))


def test_a_store_that_was_begun_with_names_takes_no_pseudonyms(desk):
    desk.config.write_text(CONFIG)
    desk("contract", "apply", desk.plan())
    assert faults_of_key(desk.store) == []
    [fault] = faults_of_key(desk.store, pseudonyms={"key": KEY})
    assert "begun with plain names" in fault
    assert asyncio.run(desk.store.person_key(None)) is None


@pytest.mark.parametrize(
    ("pseudonyms", "sentence"),
    [
        ({}, "a key is needed"),
        ({"key": KEY, "key_file": "k"}, "not from both"),
        ({"kee": KEY}, "pseudonyms.kee: no such setting"),
    ],
)
def test_pseudonyms_need_one_key(pseudonyms, sentence):
    with pytest.raises(ConfigurationError) as refused:
        settings(pseudonyms=pseudonyms)
    assert any(sentence in fault for fault in refused.value.faults)
    assert KEY not in str(refused.value.faults)


def test_the_key_comes_from_a_file_or_from_the_environment_and_is_shown_nowhere(desk, monkeypatch):
    by_file = load(desk.config).persons()
    monkeypatch.setenv("MILEPOST__PSEUDONYMS__KEY", KEY)
    desk.config.write_text(CONFIG)
    assert load(desk.config).persons().of("jane") == by_file.of("jane") == JANE
    told = desk("config", "check", "--show") + desk("config", "check", "--show", "--json") + repr(load(desk.config))
    assert KEY not in told


@pytest.mark.parametrize("key", ["short", 12345678901234567890123456789012345])
def test_a_key_in_the_file_itself_is_refused_and_never_told(desk, key):
    desk.config.write_text(f"{CONFIG}pseudonyms: {{key: {key}}}\n")
    told = desk("config", "check", code=2)
    assert "MILEPOST__PSEUDONYMS__KEY" in told
    assert str(key) not in told


def test_a_key_that_is_short_or_cannot_be_read_is_a_fault_of_the_configuration(desk):
    held(desk)
    desk.write("key", "short")
    for words in (("config", "check"), ("explain", "C-1")):
        assert "fewer than 32 characters" in desk(*words, code=2)
    (desk.folder / "key").write_bytes(b"\xff" * 40)
    assert "it is no text" in desk("explain", "C-1", code=2)
    (desk.folder / "key").unlink()
    for words in (("config", "check"), ("explain", "C-1")):
        assert "cannot be read" in desk(*words, code=2)

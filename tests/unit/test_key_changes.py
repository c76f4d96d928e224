"""A person's hold or dispute under a system's key, and a plan that changes what the key is of (law 4, D7)."""

import pytest
from builders import Event, Story, a_contract, a_milestone, an_amendment, disputed, lifted_by, met, registered, said

KEYS = {"refs": {"office": ["k:1"]}}
M1, M2 = (a_milestone(name, requires=["met"]) for name in ("M1", "M2"))


def amended(*milestones, **terms):
    return registered(a_contract(*milestones, version=2, amendment=an_amendment(), **terms))


def under_key(kind, **data):
    return Event("office", kind, {"ref": {"source": "office", "key": "k:1"}, "by": "olga", "reason": "r"} | data)


HELD = under_key("hold.placed", hold="H-1")
CHANGES = {
    "the key is claimed no more": amended(M1, M2),
    "two milestones claim it": amended(M1 | KEYS, M2 | KEYS),
    "it is of the contract now, and two could take it": amended(M1, M2, **KEYS),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_hold_stays_where_it_stood_until_a_person_lifts_it(change):
    story = Story().tell(registered(a_contract(M1 | KEYS, M2)), HELD, change, met(), met("M2"))
    assert (story.reasons("M1"), story.released("M2")) == (["MANUAL_HOLD"], 10_000)
    assert story.tell(lifted_by()).released("M1") == 10_000


@pytest.mark.parametrize("change", [*CHANGES.values()][1:], ids=[*CHANGES][1:])
def test_it_stays_though_it_is_said_anew_and_is_lifted_under_the_key_it_had(change):
    story = Story().tell(registered(a_contract(M1 | KEYS, M2)), HELD, change, met())
    assert story.tell(under_key("hold.placed", hold="H-1", reason="still")).reasons("M1") == ["MANUAL_HOLD"]
    assert story.tell(under_key("hold.lifted", hold="H-1", by="otto")).released("M1") == 10_000


def test_a_hold_under_a_key_of_the_contract_stays_when_others_could_take_it_too():
    story = Story().tell(registered(a_contract(M1, **KEYS)), HELD, amended(M1, M2, **KEYS), met(), met("M2"))
    assert (story.reasons("M1"), story.released("M2")) == (["MANUAL_HOLD"], 10_000)


def test_a_key_that_moves_takes_the_hold_along():
    story = Story().tell(registered(a_contract(M1 | KEYS, M2)), HELD, amended(M1, M2 | KEYS), met(), met("M2"))
    assert (story.released("M1"), story.reasons("M2")) == (10_000, ["MANUAL_HOLD"])


def test_it_goes_to_all_that_replace_its_milestone():
    story = Story().tell(registered(a_contract(M1 | KEYS)), HELD, under_key("dispute.opened", dispute="D-1"))
    story.tell(amended(*[a_milestone(n, "50.00", requires=["met"], replaces=["M1"]) for n in ("M1a", "M1b")]))
    story.tell(met("M1a"), lifted_by(milestone="M1a"))
    assert (story.reasons("M1a"), story.reasons("M1b")) == (["DISPUTED"], ["MANUAL_HOLD", "NOT_MET"])


def test_what_may_have_been_a_dispute_goes_to_all_that_replace_its_milestone():
    unreadable = said("portal", "dispute.opened", dispute="D-1", by="sam", reason="r", amount="much")
    story = Story().tell(registered(a_contract(M1)), unreadable)
    heirs = [a_milestone(n, "50.00", requires=["met"], replaces=["M1"]) for n in ("M1a", "M1b")]
    story.tell(amended(*heirs), met("M1a"), met("M1b"))
    assert (story.reasons("M1a"), story.reasons("M1b")) == (["SOURCE_UNREADABLE"], ["SOURCE_UNREADABLE"])
    story.tell(disputed("10.00", "M1a", "portal"))
    assert (story.released("M1a"), story.reasons("M1b")) == (4_000, ["SOURCE_UNREADABLE"])


def test_what_comes_under_an_ambiguous_key_is_parked_and_stood_nowhere():
    story = Story().tell(registered(a_contract(M1 | KEYS, M2)), amended(M1 | KEYS, M2 | KEYS), HELD, met())
    assert story.released("M1") == 10_000
    assert "parked" in story.outcomes

"""A key that two contracts claim is nobody's; one that is given up takes along what stood under it (A7, A10, B5)."""

from builders import ORDER, SOURCES, Lines, Story, a_contract, a_milestone, an_amendment, done, micros, registered, said
from laws.test_rebuilding import assert_each_log_gives_its_state

from contracts_schema.plan import decode_plan
from services.reconciliation import decide
from services.runtime.upkeep import UPGRADE
from services.wiring.contracts import with_rivals
from services.wiring.sending import Verdict

KEY = {"refs": {"pm": ["k:1"]}}


def plan(contract, version=1, claims=True, **terms):
    milestone = a_milestone(requires=["met", "invoiced"]) | (KEY if claims else {})
    more = {"amendment": an_amendment(id=f"A-{version}")} if version > 1 else {}
    return registered(a_contract(milestone, contract=contract, version=version, **more, **terms))


IS_MET = said("pm", "milestone.assessed", key="k:1", status="met", event="met-1")


def test_what_stood_under_a_key_is_nobodys_once_another_contract_claims_it():
    story = Story().tell(plan("A"), IS_MET)
    assert story.reasons(contract="A") == ["NOT_INVOICED"]
    story.tell(plan("B"))
    assert (story.reasons(contract="A"), story.reasons(contract="B")) == (["NOT_MET", "NOT_INVOICED"],) * 2
    assert_each_log_gives_its_state(story)


def test_it_is_its_own_again_when_the_other_gives_the_key_up():
    story = Story().tell(plan("A"), IS_MET, plan("B"), plan("B", 2, claims=False))
    assert story.reasons(contract="A") == ["NOT_INVOICED"]
    assert story.reasons(contract="B") == ["NOT_MET", "NOT_INVOICED"]
    assert_each_log_gives_its_state(story)


def test_what_stood_under_a_key_goes_to_the_contract_that_claims_it_next():
    story = Story().tell(plan("A"), IS_MET, plan("A", 2, claims=False), plan("B"))
    assert story.reasons(contract="A") == ["NOT_MET", "NOT_INVOICED"]
    assert story.reasons(contract="B") == ["NOT_INVOICED"]
    assert_each_log_gives_its_state(story)


def test_of_two_that_claimed_it_the_one_that_keeps_it_has_what_the_other_had():
    story = Story().tell(plan("A"), IS_MET, plan("B"), plan("A", 2, claims=False))
    assert story.reasons(contract="A") == ["NOT_MET", "NOT_INVOICED"]
    assert story.reasons(contract="B") == ["NOT_INVOICED"]
    assert_each_log_gives_its_state(story)
    assert not list(story.store._tables.parked)


def test_a_key_that_was_given_up_twice_brings_back_what_stood_under_it_first():
    story = Story().tell(plan("A"), IS_MET, plan("A", 2, claims=False), plan("B"), plan("B", 2, claims=False))
    story.tell(plan("A", 3))
    assert story.reasons(contract="A") == ["NOT_INVOICED"]
    assert story.reasons(contract="B") == ["NOT_MET", "NOT_INVOICED"]
    assert_each_log_gives_its_state(story)


def test_a_doubt_under_a_key_falls_on_whoever_claims_it_next():
    unreadable = said("pm", "milestone.assessed", key="k:1", status="nearly")
    story = Story().tell(plan("A"), unreadable, plan("B"))
    doubted = ["SOURCE_UNREADABLE", "NOT_MET", "NOT_INVOICED"]
    assert (story.reasons(contract="A"), story.reasons(contract="B")) == (doubted, doubted)
    story.tell(plan("A", 2, claims=False))
    assert (story.reasons(contract="A"), story.reasons(contract="B")) == (doubted[1:], doubted)
    assert_each_log_gives_its_state(story)


def of_an_order():
    """A contract that claims a whole order, of which one line is met."""
    story = Story()
    story.hallway.reader = Lines(SOURCES, story.rules, "story")
    order = a_contract(a_milestone(requires=["met", "invoiced"]), contract="A", refs={"pm": [ORDER]})
    return story.tell(registered(order), IS_MET)


def test_a_line_that_another_contract_claims_goes_there_from_the_contract_of_its_order():
    story = of_an_order()
    assert story.reasons(contract="A") == ["NOT_INVOICED"]
    story.tell(plan("B"))
    assert story.reasons(contract="A") == ["NOT_MET", "NOT_INVOICED"]
    assert story.reasons(contract="B") == ["NOT_INVOICED"]
    assert_each_log_gives_its_state(story)


def test_a_line_that_is_given_up_goes_back_to_the_contract_of_its_order():
    story = of_an_order().tell(plan("B"), plan("B", 2, claims=False))
    assert story.reasons(contract="A") == ["NOT_INVOICED"]
    assert story.reasons(contract="B") == ["NOT_MET", "NOT_INVOICED"]
    assert_each_log_gives_its_state(story)


def test_who_registers_hears_of_keys_that_others_claim_too():
    story, good = Story().tell(plan("A"), plan("B")), Verdict("applied", "version 1 is in force")
    told = done(with_rivals(story.store, decode_plan(story.state("B").plans[1].plan), good))
    assert told.sentence == (
        "version 1 is in force; claimed by others, too: pm:k:1 by A; what is said under these is nobody's until one "
        "gives them up"
    )
    refused = Verdict("refused", "no")
    assert done(with_rivals(story.store, decode_plan(story.state("B").plans[1].plan), refused)) is refused


def test_a_contract_that_could_not_be_decided_hears_of_shared_keys_from_the_next_release(monkeypatch):
    story = Story().tell(plan("A"), IS_MET)
    with monkeypatch.context() as broken:
        broken.setattr(decide, "_position", _defect)
        story.tell(said("office", "hold.placed", contract="A", hold="H", by="olga", reason="r"))
    assert story.tell(plan("B")).state("A").frozen
    mended = Story(release="2", now=story.now)
    mended.store = mended.hallway.store = story.store
    done(mended.store.wake_all(0, UPGRADE))
    mended.wake(0, micros(mended.now))
    assert mended.reasons(contract="A") == ["MANUAL_HOLD", "NOT_MET", "NOT_INVOICED"]
    assert_each_log_gives_its_state(mended)


def _defect(*_args, **_more):
    raise ZeroDivisionError

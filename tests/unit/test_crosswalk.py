"""From a fact's address to its milestone; never a guess."""

from datetime import date

from builders import Story, a_contract, a_milestone, an_amendment, invoice, met, received, registered, said, signed

from contracts_schema import facts as f
from contracts_schema.registration import read_registration
from services.reconciliation.crosswalk import Index, Place

PLAN = a_contract(
    a_milestone("M1", requires=["met", "evidence:fat"], refs={"pm": ["issue:1", "issue:9"], "erp": ["line:1"]}),
    a_milestone("M2", requires=["received", "signed_off", "invoiced", "measure:defects<=1"], refs={"pm": ["issue:9"]}),
    a_milestone("M3", requires=["met"]),
    refs={"erp": ["order:1"], "pm": ["project:1"]},
)
INDEX = Index(read_registration(PLAN))
RECEIPT = f.GoodsReceived("1", "1", "0", "u", date(2026, 3, 1))


def home(body, *keys, source="erp"):
    return INDEX.home(f.Address(None, None, source, keys), body)


def test_the_first_key_that_a_milestone_claims_wins():
    assert home(RECEIPT, "line:1", "order:1") == "M1"
    assert home(RECEIPT, "line:2", "order:1") == "M2"


def test_a_key_of_another_source_is_another_key():
    assert home(f.Assessed("met"), "issue:1", source="erp") is Place.UNKNOWN


def test_a_key_that_two_milestones_claim_is_nobodys():
    assert home(f.Assessed("met"), "issue:9", source="pm") is Place.AMBIGUOUS


def test_by_a_key_of_the_contract_the_only_taker_takes():
    assert home(f.SignOffGiven("j", "r", None, {}), "project:1", source="pm") == "M2"
    assert home(f.SignOffWithdrawn("j", "r"), "project:1", source="pm") == "M2"
    assert home(f.EvidenceAttached("fat", "a"), "project:1", source="pm") == "M1"
    assert home(f.EvidenceRemoved("fat"), "project:1", source="pm") == "M1"
    assert home(f.MeasureReported("defects", "1", "p"), "order:1") == "M2"
    assert home(f.MeasureReported("defect", "1", "p"), "order:1") is Place.UNKNOWN  # another figure
    assert home(f.Assessed("met"), "project:1", source="pm") is Place.AMBIGUOUS
    assert home(f.EvidenceAttached("sat", "a"), "order:1") is Place.UNKNOWN


def test_what_is_no_proof_any_milestone_can_take():
    assert home(f.ValueAgreed(None), "order:1") is Place.AMBIGUOUS


def test_our_own_ids_are_taken_at_their_word():
    assert INDEX.home(f.Address("C-1", "M3"), RECEIPT) == "M3"
    assert INDEX.home(f.Address("C-1", "M9"), RECEIPT) is Place.UNKNOWN
    assert INDEX.home(f.Address("C-1"), RECEIPT) == "M2"
    assert INDEX.home(f.Address("C-1"), f.HoldPlaced("h", "r", "b")) is Place.EVERYWHERE


def test_a_doubt_falls_on_all_that_it_may_be_about():
    def doubtful(*keys, contract=None, milestone=None):
        return list(INDEX.doubtful(f.Address(contract, milestone, "pm", keys)))

    assert doubtful("issue:9") == ["M1", "M2"]
    assert doubtful("issue:5", "project:1") == ["M1", "M2", "M3"]
    assert doubtful("issue:5") == []
    assert doubtful(contract="C-1") == ["M1", "M2", "M3"]
    assert doubtful(contract="C-1", milestone="M2") == ["M2"]
    assert doubtful(contract="C-1", milestone="M9") == []


def test_a_doubt_by_key_holds_every_milestone_that_has_it():
    story = Story().tell(registered(PLAN), said("pm", "milestone.assessed", key="issue:9", status="done"))
    assert [m for m in ("M1", "M2", "M3") if "SOURCE_UNREADABLE" in story.reasons(m)] == ["M1", "M2"]


def test_an_amendment_that_moves_a_key_moves_what_stands_under_it():
    one = a_contract(a_milestone("M1", requires=["met"], refs={"pm": ["issue:1"]}), a_milestone("M2", requires=["met"]))
    amendment = {"id": "A", "state": "approved", "rationale": "r", "requested_by": "r", "approved_by": "a"}
    two = a_contract(a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"], refs={"pm": ["issue:1"]}),
                     version=2, amendment=amendment)  # fmt: skip
    story = Story().tell(registered(one), said("office", "hold.placed", hold="H", by="o", reason="r"))
    story.tell(said("pm", "milestone.assessed", key="issue:1", status="met"), registered(two))
    assert (story.standings()["M1"].status, story.standings()["M2"].status) == ("scheduled", "met")


def test_what_two_contracts_claimed_is_the_others_once_one_gives_the_key_up():
    keyed = a_milestone(requires=["met"], refs={"pm": ["issue:1"]})
    story = Story().tell(registered(a_contract(keyed)), registered(a_contract(keyed, contract="C-2")))
    story.tell(said("pm", "milestone.assessed", key="issue:1", status="met"))
    assert story.outcomes[-1] == "parked"
    story.tell(registered(a_contract(a_milestone(requires=["met"]), version=2, amendment=an_amendment())))
    assert (story.released(), story.released(contract="C-2")) == (0, 10_000)


def test_keys_that_have_not_spoken_count_as_scheduled_and_our_own_ids_are_one_object():
    plan = a_contract(a_milestone(requires=["met"], refs={"pm": ["issue:1", "issue:2", "plain"]}))
    story = Story().tell(registered(plan), said("pm", "milestone.assessed", key="issue:1", status="met"))
    assert story.standings()["M1"].status == "scheduled"
    story.tell(said("pm", "milestone.assessed", key="issue:2", status="met"))
    assert story.standings()["M1"].status == "met"
    assert (
        Story().tell(registered(plan), met(), received("1"), signed(), invoice("1.00")).standings()["M1"].status
        == "met"
    )

"""`policy.notices`: what is left out keeps its default, and every fault is named by field and value."""

import pytest

from contracts_schema.errors import ConfigurationError
from services.reconciliation.policy import NoticePolicy, Policy
from services.settings import check

PLAIN = {"sources": {"register": {"dialect": "milepost", "role": "register", "topic": "contract.events"}}}


def policy(**notices):
    return check(PLAIN | {"policy": {"notices": notices}}).rules().policy.notices


def faults(**notices):
    with pytest.raises(ConfigurationError) as refused:
        policy(**notices)
    return [*refused.value.faults]


def test_left_out_it_is_the_careful_default_and_part_of_the_rulebook():
    assert policy() == NoticePolicy() == Policy().notices
    before, after = check(PLAIN).rules(), check(PLAIN | {"policy": {"notices": {"dispute_days": 1}}}).rules()
    assert before.rulebook.hash != after.rulebook.hash
    assert before.calendars.startswith("holidays ")
    assert before.calendars.encode() in before.rulebook.content


def test_what_is_given_stands_beside_the_defaults_of_the_rest():
    found = policy(
        hold_days={"NOT_RECEIVED": 3}, escalate_after={"LATE": [1, 2]}, amounts={"EUR": ["10.00", "20.00"]},
        matrix={"likely": ["amber", "amber", "red"]},
    )  # fmt: skip
    assert found.hold_days == NoticePolicy().hold_days | {"NOT_RECEIVED": 3}
    assert found.escalate_after["LATE"] == (1, 2)
    assert found.escalate_after["default"] == (5, 10)
    assert found.amounts == {"EUR": (1_000, 2_000)}
    assert found.matrix == NoticePolicy().matrix | {"likely": ("amber", "amber", "red")}


@pytest.mark.parametrize(
    ("notices", "sentence"),
    [
        ({"hold_days": {"LATENESS": 3}}, "hold_days.LATENESS.[key]: 'LATENESS': is no hold reason"),
        ({"hold_days": {"default": -1}}, "hold_days.default: -1"),
        ({"escalate_after": {"LATENESS": [1]}}, "escalate_after.LATENESS.[key]: 'LATENESS': is no kind of notice"),
        ({"escalate_after": {"LATE": [2, 2]}}, "LATE: [2, 2] does not rise from 1 on"),
        ({"escalate_after": {"LATE": [0, 2]}}, "LATE: [0, 2] does not rise from 1 on"),
        ({"escalate_to": [""]}, "escalate_to.0: ''"),
        ({"conflict_days": "soon"}, "conflict_days: 'soon'"),
        ({"medium_percent": "20"}, "large_percent: '20': is not above medium_percent 20"),
        ({"large_percent": "a lot"}, "large_percent: 'a lot'"),
        ({"amounts": {"EUR": ["10", "20.00"]}}, "EUR: amount '10' is not a decimal string with 2 decimals"),
        ({"amounts": {"EUR": ["20.00", "20.00"]}}, "EUR: medium 20.00 and large 20.00 do not rise from above zero"),
        ({"amounts": {"XXQ": ["1", "2"]}}, "XXQ: currency 'XXQ' is not an ISO 4217 code"),
        ({"matrix": {"likely": ["amber", "green", "red"]}}, "likely: a larger amount is milder"),
        ({"matrix": {"possible": ["red", "red", "red"]}}, "likely: milder than possible"),
        ({"matrix": {"often": ["red", "red", "red"]}}, "matrix.often"),
        ({"matrix": {"likely": ["pink", "red", "red"]}}, "matrix.likely.0: 'pink'"),
        ({"dispute_dayz": 3}, "dispute_dayz: no such setting"),
    ],
)
def test_a_fault_is_told_with_its_field_and_its_value(notices, sentence):
    (fault,) = faults(**notices)
    assert fault.startswith("policy.notices.")
    assert sentence in fault


def test_all_faults_are_told_at_once():
    found = faults(hold_days={"X": 1, "default": -1}, escalate_to=[""], medium_percent="30", nonsense=1)
    assert len(found) == 5

"""The configuration: every fault is named at once, with its remedy."""

import pytest

from contracts_schema.errors import ConfigurationError
from services.settings import check

REGISTER = {"dialect": "milepost", "role": "register", "topic": "contract.events"}


def faults(**content):
    with pytest.raises(ConfigurationError) as refused:
        check({"sources": {"register": REGISTER}} | content)
    return list(refused.value.faults)


def test_no_source_bears_the_name_under_which_milepost_says_facts():
    assert faults(sources={"milepost": {**REGISTER, "role": "erp"}}) == [
        "sources: 'milepost' is the name under which Milepost itself says facts; name yours otherwise"
    ]


def test_register_operator_and_finance_share_a_topic_with_no_other_role():
    office = {"dialect": "milepost", "role": "erp", "topic": "contract.events"}
    [fault] = faults(sources={"register": REGISTER, "erp": office})
    assert "share topic contract.events" in fault


def test_every_fault_is_named_at_once():
    found = faults(sources={"a": {"dialect": "milepost", "topic": "t"}}, people={"jane": ["x:1"], "joe": ["x:1"]})
    assert len(found) == 2
    assert "sources.a.role" in found[0]
    assert "'x:1' stands for two persons" in found[1]

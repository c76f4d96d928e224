"""Histories for mutation testing: core and reference model side by side, in small parts so that the first one tells."""

from random import Random

import pytest
from laws.agreeing import Agreeing
from laws.lawful import Lawful

RULES = [
    "progress_is_reported", "the_erp_speaks", "papers_come", "invoices_come", "a_document_comes", "persons_act",
    "finance_answers", "all_proof_of_a_milestone_comes", "several_facts_come_in_one_commit", "something_late_comes",
    "old_records_come_again", "something_is_said_again_or_otherwise", "something_cannot_be_read",
    "a_document_cannot_be_read", "it_is_sent_once_more",
    "the_contract_is_amended", "the_amendment_is_approved_or_told_otherwise", "time_passes",
    "a_standing_reason_is_waived",
]  # fmt: skip
FIRST = "the_contract_is_registered"


def history(machine, rng):
    """One history of up to ten steps."""
    told = machine()
    for name in [FIRST, *rng.choices(RULES, k=rng.randint(2, 10))]:
        may = {"something_is_said_again_or_otherwise": told.events, "it_is_sent_once_more": told.spoilt,
               "the_amendment_is_approved_or_told_otherwise": "amendment" in (told.world.plan or {})}  # fmt: skip
        if may.get(name, True):
            getattr(told, name)(seed=rng.getrandbits(40))
    told.teardown()


@pytest.mark.parametrize("number", range(20))
@pytest.mark.parametrize("machine", [Agreeing, Lawful])
def test_core_and_model_agree(machine, number):
    for n in range(4):
        history(machine, Random(f"{number}/{n}"))

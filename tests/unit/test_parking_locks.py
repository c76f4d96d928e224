"""Whoever parks a fact waits for whoever registers its contract, and the other way round: by locks on the keys."""

import pytest
from builders import Story, a_contract, a_milestone, registered, said

from connectors.memory import MemoryBatch

KEY, OWN = ("erp", "purchase:1"), ("", "C-1")


@pytest.fixture
def asked(monkeypatch):
    """What batches ask for, in order: locks (shared, exclusive), and the claims of keys."""
    found, claims = [], MemoryBatch.claims

    async def lock_keys(self, shared, exclusive):
        found.append(("locked", set(shared), set(exclusive)))

    async def look(self, keys):
        found.append(("looked", set(keys)))
        return await claims(self, keys)

    monkeypatch.setattr(MemoryBatch, "lock_keys", lock_keys)
    monkeypatch.setattr(MemoryBatch, "claims", look)
    return found


def test_who_parks_a_fact_looks_again_behind_the_lock_of_its_key(asked):
    Story().tell(said("erp", "value.agreed", key="purchase:1", value="1.00"))
    at = asked.index(("locked", {KEY}, set()))
    assert asked[at + 1] == ("looked", {KEY})


def test_who_registers_a_contract_has_its_keys_alone(asked):
    Story().tell(registered(a_contract(a_milestone(refs={"erp": ["purchase:1"]}))))
    assert ("locked", set(), {KEY, OWN}) in asked

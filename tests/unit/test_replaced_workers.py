"""Workers are replaced one after another: what the old ones have taken meanwhile is found by the new ones."""

from types import SimpleNamespace

from builders import SOURCES, a_milestone, said
from claiming import NOW_US, Worker, plan

from connectors.memory import MemoryStore
from services.reconciliation.policy import Policy, make_rules
from services.reconciliation.state import decode_state
from services.runtime import containment
from services.runtime.hallway import Hallway
from services.runtime.upkeep import RULEBOOK, Upkeep

MUTE = SimpleNamespace(event=lambda *_, **__: None, count=lambda *_, **__: None, gauge=lambda *_, **__: None)


async def two_workers(rules=None):
    """An old worker and a new one, and a contract that the old one has decided."""
    store = MemoryStore(lambda: NOW_US)
    old, new = await Worker(store, "0").begin(), await Worker(store, "1").begin()
    new.rules = rules or new.rules
    new.hallway = Hallway(store, new.hallway.reader, new.rules, new.hallway.topics, "2")
    await upkeep(old, "1").begin()
    await old.tell(plan("A", a_milestone(requires=["met"])))
    await old.look()
    return old, new


def upkeep(worker, release):
    return Upkeep(worker.store, None, worker.rules, release, MUTE, None)


async def state(worker):
    return decode_state(await worker.store.state("A"))


async def test_who_comes_later_wakes_what_an_old_worker_has_decided_by_the_rules_of_before():
    old, new = await two_workers(make_rules({n: s.role for n, s in SOURCES.items()}, {}, Policy(reassert_holds=True)))
    first, second = upkeep(new, "2"), upkeep(new, "2")
    await first.begin()
    await old.look()  # it is not replaced yet, and faster
    await second.begin()
    assert await new.store.wakes(9) == []
    await second.thaw()
    assert [wake.cause for wake in await new.store.wakes(9)] == [RULEBOOK]
    await new.look()
    assert (await state(new)).rulebook == new.rules.rulebook.hash


async def test_a_contract_that_an_old_worker_leaves_frozen_is_woken_again(monkeypatch):
    old, new = await two_workers()
    monkeypatch.setattr(containment, "react", lambda *_, **__: 1 / 0)
    await old.tell(said("pm", "milestone.assessed", status="met", contract="A"))
    monkeypatch.undo()
    looks_after = upkeep(new, "2")
    await looks_after.thaw()
    await old.look()
    assert (await state(new)).frozen == "1"
    await looks_after.thaw()
    await new.look()
    assert (await state(new)).frozen is None

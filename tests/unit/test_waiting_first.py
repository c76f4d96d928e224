"""A hold that came before the last proof prevents the release, though it waited for its contract's key (rule A7)."""

from datetime import UTC, datetime

from builders import a_contract, a_milestone, an_amendment, met, registered, said
from claiming import NOW_US, Worker, plan

from connectors.memory import MemoryStore
from services.reconciliation.state import decode_state

NEXT_DAY_US = int(datetime(2026, 3, 2, 1, tzinfo=UTC).timestamp()) * 1_000_000
DISPUTED = said("portal", "dispute.opened", key="k:1", dispute="D-1", reason="broken", by="mia")
KEYED = {"refs": {"portal": ["k:1"]}}


async def worker_on(store, name="0"):
    return await Worker(store, name).begin()


def keyed(contract, **more):
    return plan(contract, a_milestone(requires=["met"], **KEYED), **more)


async def released(store):
    return decode_state(await store.state("A")).milestones["M1"].released


async def test_what_waited_counts_before_what_comes_behind_the_plan_in_the_same_batch():
    store = MemoryStore(lambda: NOW_US)
    worker = await worker_on(store)
    await worker.tell(DISPUTED)
    await worker.tell(keyed("A"), met(contract="A"))
    assert await store.stranded(9) == []
    await worker.look()
    assert await released(store) == 0
    assert (await worker.reasons())["A", "M1"] == {"DISPUTED"}


async def test_so_does_what_came_in_that_batch_itself():
    store = MemoryStore(lambda: NOW_US)
    worker = await worker_on(store)
    await worker.tell(DISPUTED, keyed("A"), met(contract="A"))
    assert await store.stranded(9) == []
    assert await released(store) == 0


async def test_another_batch_may_come_before_anybody_looks():
    store = MemoryStore(lambda: NOW_US)
    worker, other = await worker_on(store), await worker_on(store, "1")
    await worker.tell(DISPUTED)
    await worker.tell(keyed("A"))
    await other.tell(met(contract="A"))
    await worker.look()
    assert await released(store) == 0


async def test_what_several_claim_waits_on():
    store = MemoryStore(lambda: NOW_US)
    worker = await worker_on(store)
    for contract in "BC":
        await worker.tell(keyed(contract))
    await worker.look()
    await worker.tell(DISPUTED)
    await worker.tell(keyed("A"))
    await worker.look()
    assert [row.reason for row in await store.stranded(9)] == ["ambiguous"]


async def test_a_doubt_falls_on_both_who_claim_its_key_in_one_batch():
    store = MemoryStore(lambda: NOW_US)
    worker = await worker_on(store)
    await worker.tell(said("pm", "milestone.assessed", key="k:1", status="nearly"))
    both = a_milestone(requires=["met"], refs={"pm": ["k:1"]})
    await worker.tell(plan("A", both), plan("B", both))
    assert len(await store.stranded(9)) == 1  # neither has it alone
    await worker.look()
    assert [reasons & {"SOURCE_UNREADABLE"} for reasons in (await worker.reasons()).values()] == [
        {"SOURCE_UNREADABLE"}, {"SOURCE_UNREADABLE"},
    ]  # fmt: skip


async def look_next_day(worker):
    while (await worker.hallway.wake(NEXT_DAY_US, 100, NEXT_DAY_US)).woken:
        pass


async def test_a_review_that_is_due_in_the_same_look_runs_behind_what_waited():
    store = MemoryStore(lambda: NOW_US)
    worker = await worker_on(store)
    insured = said("portal", "compliance.document", None, contract="A", name="insurance", valid_from="2026-03-02",
                   valid_until="2026-12-31")  # fmt: skip
    await worker.tell(keyed("A", compliance=["insurance"]))
    await worker.tell(keyed("B"))
    await worker.tell(met(contract="A"), insured)
    await worker.tell(DISPUTED)
    await worker.look()
    assert len(await store.stranded(9)) == 1
    await worker.tell(plan("B", a_milestone(requires=["met"]), version=2))  # what waited is A's from now on
    await look_next_day(worker)
    assert await released(store) == 0
    assert "DISPUTED" in (await worker.reasons())["A", "M1"]


async def test_what_waits_for_a_version_of_tomorrow_comes_in_when_it_is_in_force():
    store = MemoryStore(lambda: NOW_US)
    worker = await worker_on(store)
    await worker.tell(plan("A", a_milestone(requires=["met"])))
    later = a_contract(a_milestone(requires=["met"], **KEYED), contract="A", version=2,
                       amendment=an_amendment(effective_from="2026-03-02"))  # fmt: skip
    await worker.tell(registered(later), DISPUTED, met(contract="A", time=datetime(2026, 3, 2, tzinfo=UTC)))
    await look_next_day(worker)
    assert await store.stranded(9) == []
    assert "DISPUTED" in (await worker.reasons())["A", "M1"]

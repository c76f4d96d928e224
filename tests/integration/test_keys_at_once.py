"""A key is claimed while a fact that bears it comes to another contract by a less specific one: on real Postgres, with
the two transactions open at once. Whichever ends last, the fact goes to whoever claims its own key (rules A7, B5)."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from builders import OWNER, SOURCES, Lines, a_contract, a_milestone, an_amendment, registered, said
from claiming import NOW_US, Worker, plan

MET = said("pm", "milestone.assessed", key="k:1", status="met")
NEXT_DAY_US = int(datetime(2026, 3, 2, 1, tzinfo=UTC).timestamp()) * 1_000_000


class HeldUp:
    """A store whose next batch stands still before it writes, until `go` is set."""

    def __init__(self, store):
        self._store, self.reached, self.go = store, asyncio.Event(), asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._store, name)

    @asynccontextmanager
    async def batch(self):
        async with self._store.batch() as batch:
            write = batch.write

            async def later(changes):
                self.reached.set()
                await self.go.wait()
                await write(changes)

            batch.write = later
            yield batch


def of_line(contract, **more):
    return a_contract(a_milestone(requires=["met", "invoiced"], refs={"pm": ["k:1"]}), contract=contract, **more)


async def worker_on(store, name):
    worker = await Worker(store, name).begin()
    worker.hallway.reader = Lines(SOURCES, worker.rules, OWNER)
    return worker


async def met_at(worker):
    return {contract for (contract, _), reasons in (await worker.reasons()).items() if "NOT_MET" not in reasons}


async def of_order(store):
    """A worker, and a contract that claims the order of everything."""
    worker = await worker_on(store, "0")
    await worker.tell(plan("A", a_milestone(requires=["met", "invoiced"]), refs={"pm": ["k:0"]}))
    await worker.look()
    return worker


async def meets(worker, claims, slow):
    """The fact comes, and its contract looks at its keys, while `claims` stands still; then that ends."""
    claiming = asyncio.create_task(claims)
    reached = asyncio.create_task(slow.reached.wait())
    await asyncio.wait([claiming, reached], return_when=asyncio.FIRST_COMPLETED)
    assert not claiming.done(), claiming.exception()
    await worker.tell(MET)
    await worker.look()
    assert await met_at(worker) == {"A"}
    slow.go.set()
    await claiming
    await worker.hallway.wake(NOW_US, 100, NOW_US)
    await worker.look()


async def test_a_contract_that_registers_gets_what_came_meanwhile_by_the_order(store):
    worker, slow = await of_order(store), HeldUp(store)
    other = await worker_on(slow, "1")
    await meets(worker, other.tell(registered(of_line("B"))), slow)
    assert await met_at(worker) == {"B"}


async def test_a_version_that_comes_into_force_gets_what_came_meanwhile_by_the_order(store):
    worker, slow = await of_order(store), HeldUp(store)
    await worker.tell(plan("B", a_milestone(requires=["met", "invoiced"])))
    later = of_line("B", version=2, amendment=an_amendment(effective_from="2026-03-02"))
    await worker.tell(registered(later))
    await worker.look()
    other = await worker_on(slow, "1")
    await meets(worker, other.hallway.wake(NEXT_DAY_US, 100, NOW_US), slow)
    assert await met_at(worker) == {"B"}


async def two_at_once(worker, slow, claims):
    """While `claims` stands still, another comes to claim the key; then both know of each other."""
    claiming = asyncio.create_task(claims)
    await slow.reached.wait()
    await worker.hallway.wake(NEXT_DAY_US, 100, NOW_US)
    await worker.look()
    assert len(await met_at(worker)) == 1
    slow.go.set()
    await claiming
    for _ in range(3):
        await worker.hallway.wake(NEXT_DAY_US + 10**6, 100, NOW_US)
        await worker.look()
    assert await met_at(worker) == set()


def next_day(contract):
    return registered(of_line(contract, version=2, amendment=an_amendment(effective_from="2026-03-02")))


async def test_two_versions_that_come_into_force_at_once_know_that_they_claim_the_same_key(store):
    worker, slow = await worker_on(store, "0"), HeldUp(store)
    for contract in "AB":
        await worker.tell(plan(contract, a_milestone(requires=["met", "invoiced"])))
    await worker.tell(MET)
    await worker.tell(next_day("A"), next_day("B"))
    await worker.look()
    other = await worker_on(slow, "1")
    await two_at_once(worker, slow, other.hallway.wake(NEXT_DAY_US, 1, NOW_US))


async def test_so_do_a_registration_and_a_version_that_comes_into_force(store):
    worker, slow = await worker_on(store, "0"), HeldUp(store)
    await worker.tell(plan("A", a_milestone(requires=["met", "invoiced"])))
    await worker.tell(MET)
    await worker.tell(next_day("A"))
    await worker.look()
    other = await worker_on(slow, "1")
    await two_at_once(worker, slow, other.tell(registered(of_line("B"))))

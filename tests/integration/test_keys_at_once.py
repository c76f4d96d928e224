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

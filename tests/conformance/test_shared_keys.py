"""What every store promises of keys that go from contract to contract: memory and Postgres alike, with two workers."""

import asyncio

from builders import OWNER, SOURCES, Lines, a_milestone, said
from claiming import Worker, plan

MET = said("pm", "milestone.assessed", key="k:1", status="met")


def claiming(contract, *keys, version=1, **terms):
    milestone = a_milestone(requires=["met", "invoiced"]) | ({"refs": {"pm": list(keys)}} if keys else {})
    return plan(contract, milestone, version=version, **terms)


async def two(store, *, lines=False):
    workers = [await Worker(store, name).begin() for name in "01"]
    for worker in workers if lines else ():
        worker.hallway.reader = Lines(SOURCES, worker.rules, OWNER)
    return workers


async def met_at(worker):
    """The contracts of which something is met."""
    return {contract for (contract, _), reasons in (await worker.reasons()).items() if "NOT_MET" not in reasons}


async def test_a_fact_goes_from_hand_to_hand_with_its_key(store):
    one, other = await two(store)
    await one.tell(claiming("A", "k:1"))
    await one.tell(MET)
    assert await met_at(one) == {"A"}
    await other.tell(claiming("B", "k:1"))
    await one.look()
    assert await met_at(one) == set()
    await one.tell(claiming("A", version=2))
    await other.look()
    assert await met_at(one) == {"B"}
    assert not [*await store.parked(10), *await store.stranded(10)]


async def test_a_line_goes_from_the_contract_of_its_order_to_whoever_claims_it_and_back(store):
    one, other = await two(store, lines=True)
    await one.tell(claiming("A", refs={"pm": ["k:0"]}))
    await one.tell(MET)
    await one.look()
    assert await met_at(one) == {"A"}
    await other.tell(claiming("B", "k:1"))
    await one.look()
    assert await met_at(one) == {"B"}
    await other.tell(claiming("B", version=2))
    await other.look()
    assert await met_at(one) == {"A"}


async def test_two_that_claim_a_key_at_once_both_hear_of_it(store):
    one, other = await two(store)
    await asyncio.gather(one.tell(claiming("A", "k:1")), other.tell(claiming("B", "k:1")))
    await one.look()
    await one.tell(MET)
    assert await met_at(one) == set()
    await one.tell(claiming("B", version=2))
    await other.look()
    assert await met_at(one) == {"A"}

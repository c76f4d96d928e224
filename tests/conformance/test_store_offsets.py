"""How far each partition was read, and who may move it on: what every store promises."""

import asyncio

import pytest
from store_rows import CLUSTER, P0, P1, move, offsets

from contracts_schema.rows import Changes, FenceLost, Lane, Partition, Taken


async def test_a_partition_never_read_has_no_offset(store):
    assert await store.take("w1", CLUSTER, [P0, P1]) == {P0: Taken(None, 1), P1: Taken(None, 1)}


async def test_a_passed_fence_moves_the_offset_on(store):
    await store.take("w1", CLUSTER, [P0, P1])
    await move(store, "w1", offsets(0, 5), offsets(3, 9, P1))
    assert await store.take("w2", CLUSTER, [P1, P0]) == {P0: Taken(5, 1), P1: Taken(9, 1)}


async def test_a_partition_nobody_took_cannot_be_moved(store):
    with pytest.raises(FenceLost):
        await move(store, "w1", offsets(0, 5))


async def test_the_owner_before_cannot_move_a_partition_any_more(store):
    await store.take("w1", CLUSTER, [P0])
    await store.take("w2", CLUSTER, [P0])
    with pytest.raises(FenceLost):
        await move(store, "w1", offsets(0, 5))
    await move(store, "w2", offsets(0, 5))


async def test_offsets_that_were_passed_already_cannot_be_moved_again(store):
    await store.take("w1", CLUSTER, [P0])
    await move(store, "w1", offsets(0, 5))
    for first in (0, 4):
        with pytest.raises(FenceLost):
            await move(store, "w1", offsets(first, 6))
    await move(store, "w1", offsets(5, 6))


async def test_a_gap_left_by_compaction_is_allowed(store):
    await store.take("w1", CLUSTER, [P0])
    await move(store, "w1", offsets(0, 5))
    await move(store, "w1", offsets(90, 95))
    assert (await store.take("w1", CLUSTER, [P0]))[P0].next == 95


async def test_one_lost_partition_of_several_rolls_all_back(store):
    await store.take("w1", CLUSTER, [P0, P1])
    await store.take("w2", CLUSTER, [P1])
    with pytest.raises(FenceLost):
        await move(store, "w1", offsets(0, 5), offsets(0, 5, P1))
    assert (await store.take("w1", CLUSTER, [P0]))[P0].next is None


async def test_the_same_topic_of_another_cluster_is_another_partition(store):
    await store.take("w1", CLUSTER, [P0])
    await move(store, "w1", offsets(0, 5))
    assert await store.take("w1", "cluster-2", [P0]) == {P0: Taken(None, 1)}


async def test_two_batches_over_the_same_offsets_commit_once(store):
    await store.take("w1", CLUSTER, [P0])

    async def batch_of(body):
        async with store.batch() as batch:
            await batch.fence("w1", [offsets(0, 5)])
            await batch.write(Changes(outbox=[(Lane.COMMANDS, body)]))

    outcomes = await asyncio.gather(batch_of(b"a"), batch_of(b"b"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [FenceLost]
    assert len(await store.outbox(Lane.COMMANDS, 10)) == 1


async def test_taking_waits_for_a_batch_that_moves_the_partition_just_now(store):
    await store.take("w1", CLUSTER, [P0])
    fenced = asyncio.Event()
    go_on = asyncio.Event()

    async def old_owner():
        async with store.batch() as batch:
            await batch.fence("w1", [offsets(0, 5)])
            fenced.set()
            await go_on.wait()

    batch = asyncio.create_task(old_owner())
    await fenced.wait()
    taking = asyncio.create_task(store.take("w2", CLUSTER, [P0]))
    await asyncio.wait([taking], timeout=0.05)
    go_on.set()
    await batch
    assert (await taking)[P0].next == 5


async def test_every_take_without_a_finished_batch_counts_as_an_attempt(store):
    for attempts in (1, 2, 3):
        assert (await store.take(f"w{attempts}", CLUSTER, [P0]))[P0].attempts == attempts
    await move(store, "w3", offsets(0, 1))
    assert (await store.take("w4", CLUSTER, [P0]))[P0].attempts == 1


async def test_attempts_at_one_offset_count_until_a_fence_passes(store):
    await store.take("w1", CLUSTER, [P0])
    assert [await store.attempt("w1", CLUSTER, P0, 7) for _ in range(3)] == [1, 2, 3]
    assert await store.attempt("w1", CLUSTER, P0, 8) == 1
    await move(store, "w1", offsets(0, 8))
    assert await store.attempt("w1", CLUSTER, P0, 8) == 1


async def test_attempts_survive_another_owner_but_are_his_to_count(store):
    await store.take("w1", CLUSTER, [P0])
    await store.attempt("w1", CLUSTER, P0, 7)
    await store.take("w2", CLUSTER, [P0])
    assert await store.attempt("w2", CLUSTER, P0, 7) == 2
    with pytest.raises(FenceLost):
        await store.attempt("w1", CLUSTER, P0, 7)


async def test_the_frontier_is_the_partition_least_read(store):
    assert await store.frontier() == 0
    await store.take("w1", CLUSTER, [P0, P1])
    await move(store, "w1", offsets(0, 5, read_to=70))
    assert await store.frontier() == 0
    await store.read_past(CLUSTER, {P1: 50})
    assert await store.frontier() == 50


async def test_reading_past_never_goes_back(store):
    await store.take("w1", CLUSTER, [P0])
    await store.read_past(CLUSTER, {P0: 50})
    await store.read_past(CLUSTER, {P0: 40, P1: 10})
    await move(store, "w1", offsets(0, 5, read_to=30))
    assert await store.frontier() == 50


async def test_a_partition_that_is_read_no_more_can_be_forgotten(store):
    await store.take("w1", CLUSTER, [P0, P1])
    await store.read_past(CLUSTER, {P0: 50})
    assert await store.forget_partitions(CLUSTER, [P1, Partition("other", 0)]) == 1
    assert await store.frontier() == 50


async def test_operators_see_who_reads_what(store):
    await store.take("w1", CLUSTER, [P1, P0])
    await move(store, "w1", offsets(0, 5, read_to=70))
    first, second = await store.partitions()
    assert (first.partition, first.next, first.owner, first.read_to) == (P0, 5, "w1", 70)
    assert (second.partition, second.next, second.attempts) == (P1, None, 1)


async def test_what_was_given_back_in_good_order_was_no_attempt(store):
    await store.take("w1", CLUSTER, [P0, P1])
    await store.give_back("w1", CLUSTER, [P0])
    await store.give_back("w2", CLUSTER, [P1])  # which is not its own
    assert {p: taken.attempts for p, taken in (await store.take("w3", CLUSTER, [P0, P1])).items()} == {P0: 1, P1: 2}

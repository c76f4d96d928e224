"""Contracts that are to be looked at again: what every store promises."""

import asyncio

import pytest
from store_rows import commit, state_row, take_due

from contracts_schema.rows import Changes, Review


async def test_what_is_due_comes_earliest_first_and_is_taken_once(store):
    wakes = [("C-1", 30, "review"), ("C-2", 10, "review"), ("C-1", 20, "claim"), ("C-1", 200, "later")]
    await commit(store, Changes(states=[state_row("C-1"), state_row("C-2")], wakes=wakes))
    assert await take_due(store, limit=2) == [Review("C-2", 10, "review"), Review("C-1", 20, "claim")]
    assert await take_due(store) == [Review("C-1", 30, "review")]
    assert await take_due(store) == []
    assert await store.wakes(10) == [Review("C-1", 200, "later")]


async def test_the_contract_itself_moves_its_wake(store):
    await commit(store, Changes(states=[state_row()], wakes=[("C-1", 20, "review")]))
    await commit(store, Changes(states=[state_row()], wakes=[("C-1", 50, "review")]))
    assert await store.wakes(10) == [Review("C-1", 50, "review")]
    await commit(store, Changes(states=[state_row()], wakes=[("C-1", None, "review"), ("C-1", None, "never")]))
    assert await store.wakes(10) == []


async def test_the_last_word_of_a_batch_about_its_own_wake_counts(store):
    wakes = [("C-1", None, "review"), ("C-1", 10, "review"), ("C-1", 50, "review"), ("C-1", 7, "x"), ("C-1", None, "x")]
    await commit(store, Changes(states=[state_row()], wakes=wakes))
    assert await store.wakes(10) == [Review("C-1", 50, "review")]


async def test_a_wake_by_another_contract_makes_it_earlier_but_not_later(store):
    await commit(store, Changes(states=[state_row("C-1"), state_row("C-2")], wakes=[("C-1", 20, "claim")]))
    for moment, expected in ((50, 20), (10, 10)):
        await commit(store, Changes(states=[state_row("C-2")], wakes=[("C-1", moment, "claim")]))
        assert await store.wakes(10) == [Review("C-1", expected, "claim")]
    assert await take_due(store) == [Review("C-1", 10, "claim")]
    assert await store.wakes(10) == []


async def test_only_a_batch_that_has_taken_a_foreign_wake_removes_it(store):
    """The contract's batch may have decided before it could see why it was woken."""
    await commit(store, Changes(states=[state_row("C-1"), state_row("C-2")]))
    await commit(store, Changes(states=[state_row("C-2")], wakes=[("C-1", 20, "claim")]))
    await commit(store, Changes(states=[state_row("C-1")], wakes=[("C-1", None, "claim")]))
    assert await take_due(store) == [Review("C-1", 20, "claim")]
    assert await store.wakes(10) == []


async def test_a_wake_waits_until_its_contract_is_there(store):
    await commit(store, Changes(wakes=[("C-new", 5, "claim")]))
    assert await take_due(store) == []
    await commit(store, Changes(states=[state_row("C-new")]))
    assert await take_due(store) == [Review("C-new", 5, "claim")]


async def test_two_workers_never_take_the_same_wake(store):
    names = [f"C-{number}" for number in range(30)]
    await commit(store, Changes(states=[state_row(n) for n in names], wakes=[(n, 5, "review") for n in names]))
    taken = [review.contract for found in await asyncio.gather(*(take_due(store, limit=7) for _ in range(6)))
             for review in found]  # fmt: skip
    while more := await take_due(store, limit=7):
        taken += [review.contract for review in more]
    assert sorted(taken) == sorted(names)


async def test_wakes_taken_by_a_batch_that_failed_are_due_again(store):
    await commit(store, Changes(states=[state_row()], wakes=[("C-1", 5, "review")]))

    async def fails():
        async with store.batch() as batch:
            await batch.due(100, 10)
            await batch.write(Changes(wakes=[("C-1", None, "review")]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert await take_due(store) == [Review("C-1", 5, "review")]


async def test_every_contract_can_be_woken(store):
    await commit(store, Changes(states=[state_row("C-1"), state_row("C-2")], wakes=[("C-1", 3, "rulebook")]))
    assert await store.wake_all(7, "rulebook") == 2
    assert await store.wakes(10) == [Review("C-1", 3, "rulebook"), Review("C-2", 7, "rulebook")]

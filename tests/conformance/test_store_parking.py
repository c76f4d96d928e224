"""Keys that are claimed, and facts that wait for one: what every store promises."""

import asyncio

import pytest
from store_rows import LINE, claims, commit, parked_row, parked_under

from contracts_schema.rows import Changes


async def test_claims_name_every_contract_and_leave_out_unclaimed_keys(store):
    await commit(store, Changes(claimed=[(*LINE, "C-2"), (*LINE, "C-1"), ("", "C-1", "C-1")]))
    await commit(store, Changes(claimed=[(*LINE, "C-1")]))
    assert await claims(store, LINE, ("", "C-1"), ("", "C-9"), ("pm", "purchase.line:1")) == {
        LINE: ("C-1", "C-2"),
        ("", "C-1"): ("C-1",),
    }


async def test_a_key_no_longer_claimed_is_free(store):
    await commit(store, Changes(claimed=[(*LINE, "C-1"), (*LINE, "C-2")]))
    await commit(store, Changes(unclaimed=[(*LINE, "C-1"), (*LINE, "C-9")]))
    assert await claims(store, LINE) == {LINE: ("C-2",)}
    await commit(store, Changes(unclaimed=[(*LINE, "C-2")], claimed=[(*LINE, "C-2")]))
    assert await claims(store, LINE) == {LINE: ("C-2",)}
    await commit(store, Changes(unclaimed=[(*LINE, "C-2")]))
    assert await claims(store, LINE) == {}


async def test_a_parked_fact_is_found_under_each_of_its_keys(store):
    row = parked_row(keys=[LINE, ("erp-eu", "purchase:P%2F1"), ("", "C-1")])
    await commit(store, Changes(parked=[row]))
    for key in row.keys:
        assert await parked_under(store, key, ("pm", "issue:1")) == [row]
    assert await parked_under(store, *row.keys) == [row]
    assert await parked_under(store, ("pm", "purchase.line:1")) == []


async def test_the_keys_under_which_something_is_parked_are_told_from_the_others(store):
    await commit(store, Changes(parked=[parked_row(keys=[LINE, ("", "C-1")]), parked_row("s2", keys=[LINE])]))
    async with store.batch() as batch:
        assert set(await batch.parked_keys([LINE, ("pm", LINE[1]), ("", "C-2")])) == {LINE}
        assert not await batch.parked_keys([])
    await commit(store, Changes(unparked=[(row.source, row.subject) for row in await parked_under(store, LINE)]))
    async with store.batch() as batch:
        assert not await batch.parked_keys([LINE, ("", "C-1")])


async def test_parked_facts_come_in_the_order_in_which_they_came(store):
    for number in (3, 1, 2):
        await commit(store, Changes(parked=[parked_row(f"s{number}", fact=b"%d" % number)]))
    assert [row.fact for row in await parked_under(store, LINE)] == [b"3", b"1", b"2"]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (parked_row(fact=b"z", timestamp=9, order=b"\x01"), parked_row(fact=b"a", timestamp=1, order=b"\x02")),
        (parked_row(fact=b"z", timestamp=1), parked_row(fact=b"a", timestamp=2)),
        (parked_row(fact=b"a"), parked_row(fact=b"b")),
    ],
    ids=["by order", "then by timestamp", "then by content"],
)
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("swapped", [True, False])
async def test_the_newest_fact_of_a_subject_is_kept_whatever_the_order(store, older, newer, together, swapped):
    rows = [newer, older] if swapped else [older, newer]
    for some in [rows] if together else [[row] for row in rows]:
        await commit(store, Changes(parked=some))
    assert await parked_under(store, LINE) == [newer]


async def test_the_same_subject_of_two_sources_is_parked_twice(store):
    await commit(store, Changes(parked=[parked_row(), parked_row(source="pm")]))
    assert len(await parked_under(store, LINE)) == 2


async def test_a_newer_fact_is_no_longer_found_under_keys_it_does_not_have(store):
    await commit(store, Changes(parked=[parked_row(keys=[LINE, ("erp-eu", "purchase:1")])]))
    await commit(store, Changes(parked=[parked_row(timestamp=2)]))
    assert await parked_under(store, ("erp-eu", "purchase:1")) == []
    await commit(store, Changes(claimed=[("erp-eu", "purchase:1", "C-1")]))
    assert [row.timestamp for row in await store.parked(9)] == [2]
    assert await store.stranded(9) == []


async def test_an_unparked_fact_is_gone(store):
    await commit(store, Changes(parked=[parked_row("s1"), parked_row("s2")]))
    await commit(store, Changes(unparked=[("erp-eu", "s1")]))
    assert [row.subject for row in await parked_under(store, LINE)] == ["s2"]
    assert [row.subject for row in await store.parked(9)] == ["s2"]


async def test_a_subject_unparked_and_parked_anew_in_one_batch_keeps_the_new_fact(store):
    await commit(store, Changes(parked=[parked_row(fact=b"old", timestamp=9)]))
    new = parked_row(fact=b"new", timestamp=5)
    await commit(store, Changes(unparked=[("erp-eu", "s")], parked=[new]))
    assert await parked_under(store, LINE) == [new]


async def test_operators_see_unknown_and_stranded_facts_apart_oldest_first(store):
    other = ("erp-eu", "purchase.line:2")
    rows = [parked_row("s1", since=30), parked_row("s2", since=20), parked_row("s3", [other, LINE], since=10)]
    await commit(store, Changes(parked=rows, claimed=[(*other, "C-1")]))
    assert [row.subject for row in await store.parked(9)] == ["s2", "s1"]
    assert [row.subject for row in await store.parked(1)] == ["s2"]
    assert [row.subject for row in await store.stranded(9)] == ["s3"]


async def test_old_parked_facts_can_be_forgotten(store):
    await commit(store, Changes(parked=[parked_row(f"s{since}", since=since) for since in (30, 10, 20)]))
    assert await store.forget_parked(before=30, limit=1) == 1
    assert await store.forget_parked(before=30, limit=9) == 1
    assert [row.subject for row in await parked_under(store, LINE)] == ["s30"]


async def test_no_fact_is_parked_unseen_while_its_contract_registers(store):
    """Whoever comes first: the fact sees the claim, or the registration sees the parked fact."""

    async def fact_arrives(key, seen):
        async with store.batch() as batch:
            await batch.lock_keys([key], [])
            if await batch.claims([key]):
                seen.append("claim")
            else:
                await asyncio.sleep(0)
                await batch.write(Changes(parked=[parked_row(key[1], [key])]))

    async def contract_registers(key, seen):
        async with store.batch() as batch:
            await batch.lock_keys([], [key, ("", "C-1")])
            if await batch.parked_under([key]):
                seen.append("fact")
            await asyncio.sleep(0)
            await batch.write(Changes(claimed=[(*key, "C-1")]))

    for number in range(40):
        key, seen = ("erp-eu", f"purchase.line:{number}"), []
        both = [fact_arrives(key, seen), contract_registers(key, seen)]
        await asyncio.gather(*(both if number % 2 else reversed(both)))
        assert len(seen) == 1


async def test_keys_that_nobody_is_claiming_are_free(store):
    keys = [LINE, LINE, ("pm", "issue:1")]
    async with store.batch() as batch:
        assert set(await batch.lock_free_keys(keys)) == set(keys)
        assert set(await batch.lock_free_keys([])) == set()


async def test_keys_wanted_shared_and_exclusive_are_locked_once(store):
    async with store.batch() as batch:
        await batch.lock_keys([LINE, LINE, ("pm", "issue:1")], [LINE])
        assert await batch.claims([LINE]) == {}

"""Records kept for replay: what every store promises."""

import pytest
from store_rows import CLUSTER, P0, P1, commit, log_row, offsets

from contracts_schema.rows import Changes, FenceLost, KeptRow

BEGINNING = ("", "", 0, -1)


def kept_row(first, partition=P0, newest=100, records=b"\x00packed", cluster=CLUSTER):
    return KeptRow(cluster, partition, first, first + 5, newest, records)


async def all_kept(store):
    return list(await store.kept(BEGINNING, 100))


async def test_they_are_read_back_in_order_page_by_page(store):
    rows = [kept_row(5), kept_row(0, P1), kept_row(100), kept_row(0, cluster="B"), kept_row(20)]
    for row in rows:
        await commit(store, Changes(kept=[row]))
    expected = [rows[3], rows[0], rows[4], rows[2], rows[1]]
    assert await all_kept(store) == expected
    read, after = [], BEGINNING
    while page := await store.kept(after, 2):
        assert len(page) <= 2
        read += page
        after = page[-1].place
    assert read == expected


async def test_they_are_written_with_their_batch_or_not_at_all(store):
    await store.take("w1", CLUSTER, {P0})
    with pytest.raises(FenceLost):
        await keep(store, "w2", 0)
    with pytest.raises(RuntimeError):
        await keep(store, "w1", 0, RuntimeError("it dies between writing and the commit"))
    assert await all_kept(store) == []
    await keep(store, "w1", 0)
    assert await all_kept(store) == [kept_row(0)]


async def keep(store, owner, first, fault=None):
    async with store.batch() as batch:
        await batch.fence(owner, [offsets(first, first + 5)])
        await batch.write(Changes(log=[log_row()], kept=[kept_row(first)]))
        if fault is not None:
            raise fault


async def test_records_that_are_read_again_are_kept_once(store):
    await commit(store, Changes(kept=[kept_row(0, records=b"two")]))
    await commit(store, Changes(kept=[kept_row(0, newest=200, records=b"three")]))
    assert await all_kept(store) == [kept_row(0, newest=200, records=b"three")]


async def test_the_oldest_are_deleted_first_and_again_does_nothing(store):
    rows = [kept_row(0, newest=30), kept_row(5, newest=10), kept_row(10, newest=20), kept_row(15, newest=40)]
    await commit(store, Changes(kept=rows))
    assert await store.forget_kept(40, 2) == 2
    assert await all_kept(store) == [rows[0], rows[3]]
    assert [await store.forget_kept(40, 2), await store.forget_kept(40, 2)] == [1, 0]
    assert await all_kept(store) == [rows[3]]

"""What waits to be published: what every store promises."""

import asyncio

from store_rows import commit, state_row

from contracts_schema.rows import Changes, Lane


async def test_the_outbox_keeps_order_within_a_lane(store):
    await commit(store, Changes(outbox=[(Lane.COMMANDS, b"1"), (Lane.DECISIONS, b"x"), (Lane.COMMANDS, b"2")]))
    await commit(store, Changes(outbox=[(Lane.COMMANDS, b"3")]))
    rows = await store.outbox(Lane.COMMANDS, 10)
    assert [(row.lane, row.body) for row in rows] == [(Lane.COMMANDS, body) for body in (b"1", b"2", b"3")]
    assert [row.body for row in await store.outbox(Lane.COMMANDS, 2)] == [b"1", b"2"]
    assert [row.id for row in rows] == sorted(row.id for row in rows)


async def test_published_rows_are_gone_and_others_stay(store):
    await commit(store, Changes(outbox=[(Lane.COMMANDS, b"1"), (Lane.COMMANDS, b"2"), (Lane.DECISIONS, b"x")]))
    first, _ = await store.outbox(Lane.COMMANDS, 10)
    (other,) = await store.outbox(Lane.DECISIONS, 10)
    await store.published(Lane.COMMANDS, [first.id, first.id, other.id])
    await store.published(Lane.COMMANDS, [first.id])
    assert [row.body for row in await store.outbox(Lane.COMMANDS, 10)] == [b"2"]
    assert [row.body for row in await store.outbox(Lane.DECISIONS, 10)] == [b"x"]


async def test_the_outbox_of_one_contract_has_the_order_of_its_revisions(store):
    await commit(store, Changes(states=[state_row(state=b"0")]))

    async def decide():
        async with store.batch() as batch:
            revision = int((await batch.load(["C-1"]))["C-1"]) + 1
            body = b"%d" % revision
            await batch.write(Changes(states=[state_row(state=body)], outbox=[(Lane.COMMANDS, body)]))

    await asyncio.gather(*(decide() for _ in range(20)))
    bodies = [int(row.body) for row in await store.outbox(Lane.COMMANDS, 100)]
    assert bodies == list(range(1, 21))


async def test_the_backlog_tells_depth_and_age_of_each_lane(store):
    assert await store.backlog() == {}
    await commit(store, Changes(outbox=[(Lane.COMMANDS, b"1"), (Lane.COMMANDS, b"2"), (Lane.QUARANTINE, b"q")]))
    backlog = await store.backlog()
    assert {lane: waiting.rows for lane, waiting in backlog.items()} == {Lane.COMMANDS: 2, Lane.QUARANTINE: 1}
    assert all(0 <= waiting.age < 60_000_000 for waiting in backlog.values())

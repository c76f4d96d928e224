"""What every store promises, memory and Postgres alike."""

import asyncio
from datetime import date

import asyncpg
import pytest
from msgspec.structs import replace

from contracts_schema.rows import (
    Changes,
    FenceLost,
    Lane,
    LogRow,
    OffsetRange,
    ParkedRow,
    Partition,
    Quarantined,
    Review,
    Rulebook,
    StateRow,
    Taken,
)

CLUSTER = "cluster-1"
P0, P1 = Partition("erp.events", 0), Partition("erp.events", 1)
LINE = ("erp-eu", "purchase.line:1")
LONG_AGO = date(2000, 1, 1)


def offsets(first, following, partition=P0, read_to=0):
    return OffsetRange(CLUSTER, partition, first, following, read_to)


def state_row(contract="C-1", revision=1, state=b"state"):
    return StateRow(contract, revision, state)


def log_row(contract="C-1", revision=1, entry=b"entry"):
    return LogRow(contract, revision, entry, b"previous", b"head %d" % revision)


def parked_row(subject="s", keys=(LINE,), **others):
    row = ParkedRow("erp-eu", subject, tuple(keys), b"fact", 1, "erp.events/0/7", "unknown", since=10)
    return replace(row, **others)


def quarantined(record="q", sentence="no JSON", value=b"\x00\xff", fault="unreadable"):
    headers = (("milepost-kind", b"account.invoice"), ("odd", None), ("odd", b"\xff"))
    return Quarantined(record, "erp-eu", CLUSTER, "erp.events", 0, 7, 1_700_000_000_000, b"key", headers, value,
                       fault, sentence, 2, "ab" * 32)  # fmt: skip


async def commit(store, changes):
    async with store.batch() as batch:
        await batch.load([row.contract for row in changes.states])
        await batch.write(changes)


async def move(store, owner, *ranges):
    async with store.batch() as batch:
        await batch.fence(owner, ranges)


async def parked_under(store, *keys):
    async with store.batch() as batch:
        return list(await batch.parked_under(keys))


async def claims(store, *keys):
    async with store.batch() as batch:
        return dict(await batch.claims(keys))


async def take_due(store, moment=100, limit=10):
    """Take what is due and remove it, as a worker that has dealt with it."""
    async with store.batch() as batch:
        due = await batch.due(moment, limit)
        await batch.load([review.contract for review in due])
        await batch.write(Changes(wakes=[(review.contract, None, review.cause) for review in due]))
    return due


# Offsets and the fence


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


# Contracts, log, rollback


async def test_states_come_back_as_the_bytes_that_were_written(store):
    await commit(store, Changes(states=[state_row("C-2"), state_row("C-1", state=b"\x00")]))
    await commit(store, Changes(states=[state_row("C-1", 2, b"later")]))
    async with store.batch() as batch:
        assert dict(await batch.load(["C-1", "C-2", "C-new"])) == {"C-1": b"later", "C-2": b"state"}
    assert await store.state("C-1") == b"later"
    assert await store.state("C-new") is None
    assert [row async for row in await store.states()] == [("C-1", b"later"), ("C-2", b"state")]
    assert await store.contracts("", 10) == [("C-1", 2), ("C-2", 1)]
    assert await store.contracts("C-1", 10) == [("C-2", 1)]


async def test_the_last_state_of_a_contract_in_a_batch_counts(store):
    await commit(store, Changes(states=[state_row(state=b"first"), state_row(revision=2, state=b"last")]))
    assert await store.state("C-1") == b"last"


async def test_more_states_than_a_page_are_all_read(store):
    names = [f"C-{number:04}" for number in range(1203)]
    await commit(store, Changes(states=[state_row(name) for name in names]))
    assert [name async for name, _ in await store.states()] == names


async def test_a_batch_that_fails_leaves_nothing_behind(store):
    await store.take("w1", CLUSTER, [P0])
    changes = Changes(
        states=[state_row()], log=[log_row()], outbox=[(Lane.COMMANDS, b"x")], quarantine=[quarantined()],
        parked=[parked_row()], claimed=[(*LINE, "C-1")], wakes=[("C-1", 5, "review")], counts={"applied": 1},
    )  # fmt: skip

    async def fails():
        async with store.batch() as batch:
            await batch.fence("w1", [offsets(0, 5, read_to=9)])
            await batch.write(changes)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert (await store.take("w1", CLUSTER, [P0]))[P0].next is None
    assert await store.frontier() == 0
    assert await store.state("C-1") is None
    assert not [*await store.log("C-1"), *await store.outbox(Lane.COMMANDS, 9), *await store.quarantine(9)]
    assert not [*await store.parked(9), *await store.stranded(9), *await store.wakes(9)]
    assert await store.counts(LONG_AGO) == {}
    assert await claims(store, LINE) == {}


async def test_a_cancelled_batch_leaves_nothing_behind_and_frees_its_locks(store):
    written = asyncio.Event()

    async def never_ends():
        async with store.batch() as batch:
            await batch.load(["C-1"])
            await batch.write(Changes(states=[state_row()]))
            written.set()
            await asyncio.Event().wait()

    batch = asyncio.create_task(never_ends())
    await written.wait()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert await store.state("C-1") is None
    await commit(store, Changes(states=[state_row()]))


async def test_two_batches_over_one_contract_see_each_others_work(store):
    await commit(store, Changes(states=[state_row(state=b"0")]))

    async def add_one():
        async with store.batch() as batch:
            held = int((await batch.load(["C-1"]))["C-1"])
            await asyncio.sleep(0)
            await batch.write(Changes(states=[state_row(state=b"%d" % (held + 1))]))

    await asyncio.gather(*(add_one() for _ in range(20)))
    assert await store.state("C-1") == b"20"


async def test_batches_that_share_contracts_in_any_order_all_end(store):
    names = [f"C-{number}" for number in range(9)]
    await commit(store, Changes(states=[state_row(name) for name in names]))

    async def touch(shift):
        async with store.batch() as batch:
            await batch.load(names[shift:] + names[:shift])
            await batch.write(Changes(states=[state_row(name, shift + 2) for name in names]))

    await asyncio.gather(*(touch(shift) for shift in range(9)))


async def test_the_log_gives_revisions_in_order(store):
    await commit(store, Changes(log=[log_row("C-1", 2), log_row("C-2", 1), log_row("C-1", 1)]))
    await commit(store, Changes(log=[log_row("C-1", 10)]))
    assert [row.revision for row in await store.log("C-1")] == [1, 2, 10]
    assert await store.revisions([("C-2", 1), ("C-1", 10), ("C-9", 1)]) == [log_row("C-1", 10), log_row("C-2", 1)]


async def test_a_revision_is_never_written_twice(store):
    await commit(store, Changes(log=[log_row(entry=b"first")]))
    with pytest.raises((ValueError, asyncpg.UniqueViolationError)):  # a defect: no family of errors hides it
        await commit(store, Changes(states=[state_row(state=b"other")], log=[log_row(entry=b"second")]))
    assert [row.entry for row in await store.log("C-1")] == [b"first"]
    assert await store.state("C-1") is None


# Crosswalk and parking


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


async def test_keys_wanted_shared_and_exclusive_are_locked_once(store):
    async with store.batch() as batch:
        await batch.lock_keys([LINE, LINE, ("pm", "issue:1")], [LINE])
        assert await batch.claims([LINE]) == {}


# Outbox


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


# Quarantine


async def test_a_quarantined_record_is_listed_without_its_value_and_shown_with_it(store):
    await commit(store, Changes(quarantine=[quarantined("q1"), quarantined("q2", value=None)]))
    listed = await store.quarantine(10)
    assert [(row.id, row.value) for row in listed] == [("q2", None), ("q1", None)]
    assert [row.id for row in await store.quarantine(1)] == ["q2"]
    assert await store.quarantined("q1") == (quarantined("q1"), "open")
    assert await store.quarantined("q9") is None


async def test_quarantine_is_idempotent_by_id(store):
    await commit(store, Changes(quarantine=[quarantined(), quarantined(sentence="again")]))
    await commit(store, Changes(quarantine=[quarantined(sentence="other")]))
    assert [row.sentence for row in await store.quarantine(10)] == ["no JSON"]


async def test_a_settled_record_is_no_longer_listed(store):
    await commit(store, Changes(quarantine=[quarantined("q1"), quarantined("q2")]))
    assert await store.settle_quarantine("q1", "discarded")
    assert not await store.settle_quarantine("q1", "redriven")
    assert not await store.settle_quarantine("q9", "redriven")
    assert [row.id for row in await store.quarantine(10)] == ["q2"]
    assert (await store.quarantined("q1"))[1] == "discarded"


async def test_a_redriven_record_that_fails_again_is_open_again_and_a_discarded_one_is_not(store):
    await commit(store, Changes(quarantine=[quarantined("q1"), quarantined("q2")]))
    await store.settle_quarantine("q1", "redriven")
    await store.settle_quarantine("q2", "discarded")
    await commit(store, Changes(quarantine=[quarantined("q1", sentence="still"), quarantined("q2")]))
    assert [(row.id, row.sentence) for row in await store.quarantine(10)] == [("q1", "still")]


async def test_a_sentence_that_quotes_odd_bytes_is_kept(store):
    row = quarantined(sentence="bad id 'a\x00b' and \ud800")
    await commit(store, Changes(quarantine=[row], parked=[parked_row(reason="unknown \x00")]))
    assert (await store.quarantine(1))[0].sentence.startswith("bad id 'a")


# Wakes


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


# Leases, rulebooks, clock, totals


async def test_a_lease_is_held_by_one_and_renewed_by_him(store):
    assert await store.lease("relay", "w1", 60) == 1
    assert await store.lease("relay", "w2", 60) is None
    assert await store.lease("relay", "w1", 60) == 1
    assert await store.lease("review", "w2", 60) == 1


async def test_taking_over_an_expired_lease_raises_the_epoch(store):
    assert await store.lease("relay", "w1", 0) == 1
    assert await store.lease("relay", "w2", 60) == 2
    assert await store.lease("relay", "w1", 60) is None


async def test_a_lease_given_back_is_free_at_once(store):
    await store.lease("relay", "w1", 60)
    await store.release("relay", "w2")
    assert await store.lease("relay", "w2", 60) is None
    await store.release("relay", "w1")
    assert await store.lease("relay", "w2", 60) == 2


async def test_many_workers_reach_for_a_lease_and_one_gets_it(store):
    epochs = await asyncio.gather(*(store.lease("relay", f"w{number}", 60) for number in range(10)))
    assert [epoch for epoch in epochs if epoch] == [1]


async def test_a_rulebook_differs_from_the_one_last_used(store):
    one, two = Rulebook("sha256:1", b"one"), Rulebook("sha256:2", b"two")
    answers = [await store.keep_rulebook(book, "rulebook") for book in (one, one, two, two, one)]
    assert answers == [0, None, 0, None, 0]
    assert await store.rulebook("sha256:2") == two
    assert await store.rulebook("sha256:3") is None


async def test_the_clock_runs_in_microseconds_since_1970(store):
    first = await store.now()
    assert 1_700_000_000_000_000 < first <= await store.now() < 5_000_000_000_000_000


async def test_control_totals_add_up_by_day_and_outcome(store):
    await commit(store, Changes(counts={"applied": 3, "parked": 1}))
    await commit(store, Changes(counts={"applied": 2}))
    ((day, totals),) = (await store.counts(LONG_AGO)).items()
    assert totals == {"applied": 5, "parked": 1}
    assert await store.counts(date(day.year + 1, 1, 1)) == {}


async def test_a_fit_store_has_no_faults(store):
    assert await store.check() == []


async def test_an_empty_batch_is_allowed(store):
    async with store.batch() as batch:
        await batch.fence("w1", [])
        await batch.lock_keys([], [])
        assert not await batch.claims([])
        assert not await batch.load([])
        assert not await batch.parked_under([])
        await batch.write(Changes())


async def test_it_tells_how_many_contracts_open_quarantined_records_and_parked_facts_there_are(store):
    assert await store.tally() == {"contracts": 0, "quarantine": 0, "parked": 0}
    changes = Changes(states=[state_row()], quarantine=[quarantined("q1"), quarantined("q2")], parked=[parked_row()])
    await commit(store, changes)
    await store.settle_quarantine("q1", "discarded")
    assert await store.tally() == {"contracts": 1, "quarantine": 1, "parked": 1}


async def test_it_tells_who_holds_which_lease_and_for_how_long(store):
    await store.lease("relay", "w1", 30)
    await store.lease("sweep", "w2", 30)
    await store.release("sweep", "w2")
    (held,) = await store.leases()
    assert (held.name, held.owner, held.epoch) == ("relay", "w1", 1)
    assert 0 < held.left <= 30_000_000

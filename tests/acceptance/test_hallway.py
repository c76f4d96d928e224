"""The whole hallway in memory: topics, worker, store, relay, and out again. With it, everything that may go wrong."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from memory_house import House
from workload import Event, events, name, registrations

from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.rows import Lane, Partition, PublishRow
from services.runtime.lanes import holds_first

CONTRACTS = 10


def work(count=600, seed=1):
    return [*registrations(CONTRACTS), *events(count, CONTRACTS, seed=seed)]


def gap_free(commands):
    return all([c["sequence"] for c in found] == list(range(1, len(found) + 1)) for found in commands.values())


async def undisturbed(records):
    """What a run of the same records ends in when nothing happens to it."""
    house = House()
    process = await house.running()
    house.send(records)
    await house.settled()
    await process.stop()
    return await house.allowed()


async def test_registrations_and_proof_in_holds_and_releases_out(house):
    process = await house.running()
    house.send(work())
    await house.settled()
    await process.stop()
    commands = house.commands()
    assert len(commands) == CONTRACTS
    assert gap_free(commands)
    assert {c["action"] for found in commands.values() for c in found} == {"hold", "release"}
    assert len(house.out("milestone.decisions")) >= sum(map(len, commands.values()))
    newest = {(s["contract"], s["milestone"]): s for s in house.out("milestone.snapshots")}
    assert {k: s["released_to_date"]["amount"] for k, s in newest.items()} == {
        k: f"{released / 100:.2f}" for k, released in (await house.released()).items()
    }


async def test_the_same_records_again_lead_to_nothing(house):
    records = work()
    process = await house.running()
    house.send(records)
    await house.settled()
    before, allowed = house.out(), await house.allowed()
    house.send(records)
    await house.settled()
    await process.stop()
    assert house.out() == before
    assert await house.allowed() == allowed


async def test_facts_that_come_before_their_contract_count_when_it_comes(house):
    records = work()
    process = await house.running()
    house.send(records[CONTRACTS:])
    await house.settled()
    assert not house.out()
    house.send(records[:CONTRACTS])
    await house.settled()
    await process.stop()
    assert await house.allowed() == await undisturbed(records)


async def test_a_record_that_is_no_message_is_set_aside_and_its_neighbours_go_on(house):
    records = work()
    poison = Event("erp.events", b"C-00001", b"\xff{not json", records[-1].timestamp)
    process = await house.running()
    house.send([*records[:300], poison, *records[300:]])
    await house.settled()
    await process.stop()
    [told] = house.out("milepost.quarantine")
    assert told["topic"] == "erp.events"
    assert await house.allowed() == await undisturbed(records)


async def test_partitions_go_from_one_worker_to_the_other_without_loss(house):
    records = work(1500)
    first, second = await house.running("w1"), house.process("w2")
    house.send(records)
    second.start()
    half = len(house.inputs) // 2
    shared = {first.feed: house.inputs[:half], second.feed: house.inputs[half:]}
    for turn in range(6):
        await asyncio.sleep(0.03)
        await house.topics.rebalance(shared if turn % 2 else {second.feed: house.inputs, first.feed: []})
    await house.settled()
    await first.stop()
    await second.stop()
    assert gap_free(house.commands())
    assert await house.allowed() == await undisturbed(records)


async def test_a_worker_that_lost_its_partitions_unawares_drops_its_batch(house):
    records = work()
    process = await house.running()
    house.send(records[:200])
    await house.settled()
    await house.store.take("somebody", house.topics.cluster, house.inputs)
    house.send(records[200:])
    await house.settled()
    await process.stop()
    assert process.counted("milepost_fence_lost_total") >= 1
    assert gap_free(house.commands())
    assert await house.allowed() == await undisturbed(records)


def failing(store, times, after_commit=False):
    """Let the store's next `times` batches fail: before they begin, or after they were committed."""
    batch, left = store.batch, [times]

    @asynccontextmanager
    async def wrapped():
        fails = left[0] > 0
        left[0] -= fails
        if fails and not after_commit:
            raise TransientError("the store does not answer")
        async with batch() as opened:
            yield opened
        if fails:
            raise TransientError("the connection broke during commit")

    store.batch = wrapped
    return left


@pytest.mark.parametrize("after_commit", [False, True], ids=["before the commit", "in doubt"])
async def test_a_store_that_does_not_answer_costs_time_and_nothing_else(house, after_commit):
    records = work()
    left = failing(house.store, 5, after_commit)
    process = await house.running()
    house.send(records)
    await house.settled()
    await process.stop()
    assert left == [0]
    assert gap_free(house.commands())
    assert await house.allowed() == await undisturbed(records)


async def test_a_batch_that_waits_for_the_store_is_given_up_on_a_rebalance(house):
    records = work()
    failing(house.store, 10_000)
    first = await house.running()
    house.send(records)
    await house.until(lambda: first.counted("milepost_transient_errors_total", loop="worker") >= 3)
    async with asyncio.timeout(2):
        await first.feed.revoke()
    await first.die()
    del house.store.batch
    second = await house.running("w2")
    await house.settled()
    await second.stop()
    assert await house.allowed() == await undisturbed(records)


async def test_a_relay_that_dies_after_publishing_says_the_same_again(house):
    published, deaths = house.store.published, []

    async def dies(lane, ids):
        if lane is Lane.COMMANDS and len(deaths) < 3:
            deaths.append(lane)
            raise TransientError("gone before the rows were deleted")
        await published(lane, ids)

    house.store.published = dies
    records = work()
    process = await house.running()
    house.send(records)
    await house.settled()
    await process.stop()
    by_id = {}
    for command in house.out():
        assert by_id.setdefault(command["command_id"], command) == command
    assert len(house.out()) > len(by_id)
    assert len(deaths) == 3
    kept = {}
    for contract, found in house.commands().items():
        kept[contract] = list({c["sequence"]: c for c in found}.values())
    assert gap_free({c: sorted(found, key=lambda x: x["sequence"]) for c, found in kept.items()})


async def test_a_broker_that_is_down_loses_nothing(house):
    process = await house.running()
    process.publisher.refuses = True
    house.send(work())
    await house.until(lambda: process.counted("milepost_transient_errors_total", loop="relay") >= 2)
    assert process.health.unready()
    process.publisher.refuses = False
    await house.settled()
    await process.stop()
    assert not process.health.unready()
    assert gap_free(house.commands())


async def test_one_relay_at_a_time_owns_a_lane(house):
    first, second = await house.running("w1"), house.process("w2")
    await house.until(lambda: first.leases.holds("relay/commands"))
    assert not await second.relay.turn(hurry=True)
    assert not second.leases.holds("relay/commands")
    await first.stop()
    second.leases._ask_at.clear()
    await second.relay.turn(hurry=True)
    assert second.leases.holds("relay/commands")


async def test_a_relay_whose_lease_has_gone_stops_before_its_next_send(house):
    process = house.process()
    await process.feed.assign(house.inputs)
    process.tasks = [asyncio.create_task(process.worker.run())]
    house.send(registrations(CONTRACTS))
    await house.until(lambda: bool(house.waiting()))
    await process.leases.keep("relay/commands")
    stolen = {"relay/commands": ("somebody", 9, house.store._clock() + 10**9)}
    house.store._tables.leases |= stolen
    process.leases._until.clear()
    assert not await process.relay.turn(hurry=True) or not house.out()
    assert not house.out()


def test_contracts_with_a_waiting_hold_go_first_when_the_relay_is_behind():
    def row(contract, n, *, urgent=False):
        return PublishRow("t", contract.encode(), (), b"%d" % n, contract, urgent)

    rows = [row("A", 1), row("B", 1), row("A", 2), row("B", 2, urgent=True), row("C", 1), row("B", 3)]
    ordered = holds_first(rows, behind=True)
    assert [(r.contract, int(r.value)) for r in ordered] == [("B", 1), ("B", 2), ("B", 3), ("A", 1), ("A", 2), ("C", 1)]
    assert holds_first(rows, behind=False) == rows


# A record that kills the process


class KilledError(BaseException):
    """Stands for kill -9 in a process that must live on to tell."""


async def test_a_record_on_which_the_process_dies_is_set_aside_and_all_others_count(house):
    records = work(200)
    deadly = Event("erp.events", b"C-00001", b'{"deadly": true}', records[-1].timestamp)
    house.send([*records[:100], deadly, *records[100:]])
    lives = 0
    while not house.out("milepost.quarantine"):
        lives += 1
        assert lives < 20
        process = house.process(f"life-{lives}")
        read = process.hallway.reader.read

        def reading(record, read=read):
            if record.value == deadly.value:
                raise KilledError
            return read(record)

        process.hallway.reader.read = reading
        await process.feed.assign(house.inputs)
        process.start()
        while not (house.read_all() or process.tasks[0].done()):
            await asyncio.sleep(0.01)
        died = process.tasks[0].done()
        await process.die()
        if not died:
            break
    await house.process("last").relay.flush(5) if house.waiting() else None
    [told] = house.out("milepost.quarantine")
    assert told["fault"] == "killed the process"
    assert await house.allowed() == await undisturbed(records)


# Start, upkeep


async def test_another_rulebook_has_every_contract_looked_at(house):
    process = await house.running()
    house.send(work())
    await house.settled()
    await process.stop()
    house.settings = house.settings.model_copy(update={"people": {"jane": ["erp-eu:17"]}})
    again = house.process("w2")
    await again.upkeep.begin()
    assert [w.cause for w in await house.store.wakes(CONTRACTS)] == ["rulebook"] * CONTRACTS
    await again.feed.assign(house.inputs)
    again.start()
    await house.settled()
    await again.stop()
    assert again.counted("milepost_woken_total") == CONTRACTS


async def test_a_contract_that_cannot_be_decided_is_frozen_and_decided_by_the_next_release(house, monkeypatch):
    import services.runtime.containment as containment

    records, react = work(), containment.react

    def broken(state, *args, **kwargs):
        if state.contract == name(3) and state.in_force:
            raise ZeroDivisionError
        return react(state, *args, **kwargs)

    monkeypatch.setattr(containment, "react", broken)
    process = await house.running()
    house.send(records)
    await house.settled()
    await process.stop()
    assert process.counted("milepost_frozen_total") >= 1
    assert name(3) in process.log.getvalue()
    monkeypatch.undo()
    house.release = "test+1"
    again = await house.running("w2")
    await again.upkeep.thaw()
    await house.settled()
    await again.stop()
    assert await house.allowed() == await undisturbed(records)


async def test_the_sweep_wakes_a_contract_for_facts_stranded_under_its_keys(house):
    process = await house.running()
    house.send(registrations(1))
    await house.settled()
    [proof] = [e for e in events(50, 1) if b"milestone.assessed" in e.value][:1]
    store = house.store
    claims = store._tables.crosswalk.pop(("", name(0)))
    house.send([proof])
    await house.settled()
    store._tables.crosswalk["", name(0)] = claims
    assert len(await store.stranded(10)) == 1
    await process.upkeep.sweep()
    await house.settled()
    await process.stop()
    assert not await store.stranded(10)


async def test_what_nobody_claims_is_forgotten_by_policy(house):
    process = await house.running()
    house.send(events(30, 1))
    await house.settled()
    assert await house.store.parked(10)
    house.store._clock = lambda clock=house.store._clock: clock() + 500 * 86_400_000_000
    process.upkeep._clock._asked_at = float("-inf")
    await process.upkeep.sweep()
    await process.stop()
    assert not await house.store.parked(10)


async def test_an_offset_beyond_the_end_of_the_topic_stops_the_worker(house):
    process = await house.running()
    house.send(work())
    await house.settled()
    await process.stop()
    lost = Partition("erp.events", 0)
    house.topics.lose(lost, 1)
    again = house.process("w2")
    await again.feed.assign(house.inputs)
    again.start()
    with pytest.raises(ConfigurationError, match=r"erp\.events/0 ends at offset 1"):
        await again.tasks[0]


async def test_nothing_of_what_people_wrote_stands_in_the_log(house):
    process = await house.running()
    secret = {"specversion": "1.0", "id": "x", "source": "s", "type": "milepost.dispute.opened.v1",
              "data": {"contract": name(0), "milestone": "M0", "dispute": "D", "reason": "hunter2"}}  # fmt: skip
    house.send([Event("operator.events", b"k", json.dumps(secret).encode(), 1), *work(50)])
    await house.settled()
    await process.stop()
    assert "hunter2" not in process.log.getvalue()

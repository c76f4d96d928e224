"""The collector's loop: ask, publish, then move the cursor."""

import asyncio
import time

import pytest
from collecting import DAY_S, PM, Clock, Rig, System

from contracts_schema.collected import Busy, Kind, Page
from contracts_schema.errors import ConfigurationError, TransientError
from services.runtime.collect import StandBy, collect

MINUTE = 60_000_000


@pytest.fixture
def rig():
    return Rig()


@pytest.fixture
def system(rig):
    return System(clock=rig.clock)


async def sweep(collector):
    """Rounds until the sweep has ended."""
    await collector.round()
    while collector._sweeping:
        await collector.round()


async def test_an_object_is_one_record_with_its_kind_its_source_and_when_it_was_seen(rig, system):
    system.put(7, b'{"a": 1}')
    assert await rig.collector(system).round() == []
    (record,) = rig.news()
    assert (record.key, record.value) == (b"thing,7", b'{"a": 1}')
    assert record.header("milepost-kind") == "thing"
    assert record.header("milepost-source") == "erp-eu"
    assert record.header("milepost-observed-at") == "2026-11-25T09:46:40.000000Z"


async def test_nothing_is_told_twice_while_nothing_changes(rig, system):
    collector = rig.collector(system)
    for number in range(1, 8):
        system.put(number, b"same")
    for _ in range(3):
        await sweep(collector)
        rig.clock.pass_by(DAY_S)
    assert len(rig.news()) == 7


async def test_a_change_is_told(rig, system):
    collector = rig.collector(system)
    system.put(1, b"old")
    await collector.round()
    rig.clock.pass_by(30)
    system.put(1, b"new")
    await collector.round()
    assert rig.values() == [b"old", b"new"]


async def test_the_next_look_overlaps_the_last_by_a_quarter_of_an_hour(rig, system):
    collector = rig.collector(system)
    await collector.round()
    before = rig.clock.micros()
    rig.clock.pass_by(3600)
    system.asked.clear()
    await collector.round()
    assert system.asked[0] == ("thing", 0, before - 15 * MINUTE)


async def test_a_transaction_that_is_committed_late_is_found_by_the_overlap(rig, system):
    collector = rig.collector(system)
    system.put(1, b"written early, committed late")
    system.hidden.add(1)
    rig.clock.pass_by(600)
    await collector.round()
    assert rig.values() == []
    system.hidden.clear()
    rig.clock.pass_by(30)
    await collector.round()
    assert rig.values() == [b"written early, committed late"]


async def test_a_transaction_that_took_longer_than_the_overlap_is_found_by_the_daily_sweep(rig, system):
    collector = rig.collector(system)
    system.put(1, b"late")
    system.hidden.add(1)
    rig.clock.pass_by(3600)
    await collector.round()
    system.hidden.clear()
    rig.clock.pass_by(3600)
    await collector.round()
    assert rig.values() == []
    rig.clock.pass_by(DAY_S)
    await collector.round()
    assert rig.values() == [b"late"]


async def test_the_cursor_follows_the_clock_of_the_system(rig, system):
    collector = rig.collector(system)
    system.skew = -20 * MINUTE
    await collector.round()
    assert (await rig.cursor.place("erp-eu", "thing")).position == rig.clock.micros() - 20 * MINUTE


async def test_a_clock_that_was_wrong_once_costs_nothing(rig, system):
    collector = rig.collector(system)
    rig.clock.pass_by(DAY_S)
    await collector.round()
    rig.clock.pass_by(-DAY_S)
    system.put(1, b"new")
    await collector.round()
    assert rig.values() == [b"new"]


async def test_what_the_broker_did_not_confirm_is_told_again_and_the_cursor_stays(rig, system):
    collector = rig.collector(system, every_s=1)
    system.put(1, b"a")
    rig.publisher.refuses = True
    assert "cannot publish" in (await collector.round())[0]
    assert (await rig.cursor.place("erp-eu", "thing")).position == 0
    rig.publisher.refuses = False
    rig.clock.pass_by(5)
    assert await collector.round() == []
    assert rig.values() == [b"a"]


async def test_a_process_that_dies_between_publishing_and_remembering_only_repeats(rig, system):
    system.put(1, b"a")
    kept = rig.cursor.keep

    async def dies(*_):
        raise KeyboardInterrupt

    rig.cursor.keep = dies
    with pytest.raises(KeyboardInterrupt):
        await rig.collector(system).round()
    rig.cursor.keep = kept
    rig.clock.pass_by(61)
    await Rig("another", other=rig).collector(system).round()
    first, second = rig.news()
    assert (first.key, first.value) == (second.key, second.value)


async def test_an_object_missing_from_the_sweep_and_gone_when_asked_for_is_told_as_deleted_once(rig, system):
    collector = rig.collector(system)
    for number in range(1, 8):
        system.put(number, b"x")
    await sweep(collector)
    rig.news()
    del system.objects["thing"][4], system.objects["thing"][7]
    for _ in range(2):
        rig.clock.pass_by(DAY_S)
        await sweep(collector)
    assert rig.values() == [b"gone 4", b"gone 7"]


async def test_an_object_that_is_missing_and_still_there_is_not_told_as_deleted(rig, system):
    collector = rig.collector(system)
    system.put(1, b"x")
    await sweep(collector)
    system.hidden.add(1)
    rig.clock.pass_by(DAY_S)
    await sweep(collector)
    assert rig.values() == [b"x"]
    system.hidden.clear()
    rig.clock.pass_by(DAY_S)
    await sweep(collector)
    assert rig.values() == [b"x"]


async def test_an_object_that_may_not_be_seen_any_more_is_a_fault_and_no_deletion(rig, system):
    collector = rig.collector(system)
    for number in (1, 2):
        system.put(number, b"x")
    await sweep(collector)
    rig.news()
    system.hidden.add(1)
    system.faults[1] = ConfigurationError(["403 for thing 1"])
    del system.objects["thing"][2]
    rig.clock.pass_by(DAY_S)
    assert await collector.round() == ["403 for thing 1"]
    assert rig.values() == [b"gone 2"]


async def test_a_number_that_was_given_to_another_object_tells_first_that_the_old_one_is_gone(rig, system):
    collector = rig.collector(system)
    system.put(1, b"old", created="2026-11-20T10:00:00Z")
    await collector.round()
    system.put(1, b"new", created="2026-11-24T10:00:00Z")
    await collector.round()
    old, gone, new = rig.news()
    assert (old.value, gone.value, new.value) == (b"old", b"gone 1", b"new")
    assert gone.header("milepost-observed-at") == "2026-11-24T10:00:00.000000Z"
    await collector.round()
    assert rig.values() == []


async def test_a_sweep_goes_on_where_a_process_before_it_had_come_to(rig):
    system = System(clock=rig.clock, page=2)
    for number in range(1, 9):
        system.put(number, b"x")
    rig.clock.pass_by(3600)
    await rig.collector(system, every_s=0).round()
    await rig.leases.give_back()
    system.asked.clear()
    await sweep(Rig("another", other=rig).collector(system, every_s=0))
    assert [after for _, after, since in system.asked if since is None] == [2, 4, 6, 8]
    assert len(rig.news()) == 8


async def test_new_changes_are_told_between_the_slices_of_a_sweep(rig):
    system = System(clock=rig.clock, page=1)
    for number in range(1, 5):
        system.put(number, b"old")
    rig.clock.pass_by(3600)
    collector = rig.collector(system, every_s=0)
    await collector.round()
    system.put(4, b"urgent")
    await collector.round()
    assert rig.values() == [b"old", b"urgent", b"old"]


async def test_a_kind_that_can_only_be_read_whole_tells_every_time_what_is_gone(rig):
    system = System(Kind("version", whole=True), clock=rig.clock, page=10)
    collector = rig.collector(system)
    system.put(1, b"x", "version")
    await collector.round()
    del system.objects["version"][1]
    await collector.round()
    assert rig.values() == [b"x", b"gone 1"]
    assert {since for _, _, since in system.asked} == {None}


@pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 2, 1)])
async def test_a_system_that_always_gives_the_same_page_is_asked_for_it_no_more_and_told_of(rig, system, numbers):
    async def page(kind, after, since):
        return Page([system._seen(kind, number) for number in numbers], numbers[-1])

    for number in numbers:
        system.put(number, b"%d" % number)
    system.page = page
    async with asyncio.timeout(5):
        (fault,) = await rig.collector(system).round()
    assert "in no order" in fault
    assert len(rig.news()) == 3


async def test_an_object_is_told_anew_after_ninety_days(rig, system):
    collector = rig.collector(system)
    system.put(1, b"x")
    await sweep(collector)
    rig.clock.pass_by(89 * DAY_S)
    await sweep(collector)
    assert len(rig.news()) == 1
    rig.clock.pass_by(2 * DAY_S)
    await sweep(collector)
    assert len(rig.news()) == 1


async def test_what_no_record_can_hold_is_cut(rig, system):
    rig.publisher.max_record_bytes = 10_000
    system.put(1, b"x" * 20_000)
    system.put(2, b"y")
    await rig.collector(system).round()
    assert [len(value) for value in rig.values()] == [10_000 - 2048, 1]


# What goes wrong


async def test_a_refused_kind_is_told_in_the_standing_and_does_not_keep_the_others_waiting(rig):
    system = System(Kind("a"), Kind("b"), clock=rig.clock)
    system.put(1, b"x", "b")
    system.faults["a"] = ConfigurationError(["403: give the key's user the right to read a"])
    collector = rig.collector(system)
    await collector._turn()
    assert rig.values() == [b"x"]
    (standing,) = await rig.cursor.standings()
    assert standing.sentence == "403: give the key's user the right to read a"
    del system.faults["a"]
    rig.clock.pass_by(60)
    await collector._turn()
    assert [s.sentence for s in await rig.cursor.standings()] == [None]


async def test_a_kind_in_trouble_is_left_alone_for_a_time_that_grows(rig, system):
    collector = rig.collector(system, every_s=30)
    system.faults["thing"] = TransientError("no answer")
    asked = []
    for _ in range(600):
        system.asked.clear()
        assert await collector.round() == ["no answer"]
        asked.append(len(system.asked))
        rig.clock.pass_by(1)
    assert 3 <= sum(asked) <= 8


async def test_a_system_that_asks_for_patience_is_given_it(rig, system):
    collector = rig.collector(system, every_s=1)
    system.faults["thing"] = Busy("429", 1800)
    await collector.round()
    del system.faults["thing"]
    system.asked.clear()
    rig.clock.pass_by(1799)
    assert await collector.round() == ["429"]
    assert system.asked == []
    rig.clock.pass_by(2)
    assert await collector.round() == []


async def test_a_defect_in_a_poller_stops_neither_the_process_nor_the_other_kinds(rig):
    system = System(Kind("a"), Kind("b"), clock=rig.clock)
    system.put(1, b"x", "b")
    system.faults["a"] = KeyError("an answer nobody foresaw")
    assert await rig.collector(system).round() == ["a defect in the collector of tryton: KeyError"]
    assert rig.values() == [b"x"]


# One at a time


async def test_a_second_collector_stands_by_until_the_first_has_gone(rig, system):
    system.put(1, b"x")
    second = Rig("second", other=rig).collector(system)
    await rig.collector(system).round()
    with pytest.raises(StandBy):
        await second.round()
    await rig.leases.give_back()
    rig.clock.pass_by(2)
    await second.round()
    assert rig.values() == [b"x"]


async def test_a_second_collector_takes_over_when_the_lease_of_a_dead_one_has_expired(rig, system):
    await rig.collector(system).round()
    system.put(1, b"x")
    rig.clock.pass_by(61)
    await Rig("second", other=rig).collector(system).round()
    assert rig.values() == [b"x"]


class RunningClock(Clock):
    def __call__(self):
        return time.time()

    def micros(self):
        return round(time.time() * 1e6)


async def test_a_page_that_takes_longer_than_the_lease_does_not_cost_it():
    rig = Rig(clock=RunningClock(), lease_s=0.6)
    other = Rig("second", other=rig)
    system = System(clock=rig.clock)
    system.put(1, b"x")
    quick, attempts = system.page, []

    async def slow(*asked):
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            attempts.append(await other.leases.keep("collect/erp-eu"))
            await asyncio.sleep(0.05)
        return await quick(*asked)

    system.page = slow
    await rig.collector(system, sweep_every_s=1e12).round()
    assert rig.values() == [b"x"]
    assert not any(attempts)


async def test_collectors_of_different_sources_do_not_wait_for_each_other_and_stop_when_told(rig):
    systems = [System(clock=rig.clock), System(clock=rig.clock)]
    for system in systems:
        system.put(1, b"x")
    systems[0].faults["thing"] = TransientError("no answer")
    stop = asyncio.Event()
    collectors = [rig.collector(systems[0]), rig.collector(systems[1], PM)]
    running = asyncio.create_task(collect(collectors, rig.leases, stop))
    async with asyncio.timeout(5):
        await rig.topics.appended.wait()
        stop.set()
        await running
    assert rig.values("project.events") == [b"x"]
    assert await rig.store.lease("collect/pm", "somebody else", 1) is not None

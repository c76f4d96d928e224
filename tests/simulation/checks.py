"""What must hold in the end: nothing lost, nothing doubled, nothing early, and finance as the last commands want it."""

from collections import Counter, defaultdict

from log_checks import PARTIAL, check_said, rebuilt, slots_of
from msgspec.json import decode
from simulation.finance import NET
from simulation.process import RULES, TOLD

from connectors.memory import MemoryStore
from contracts_schema.own_facts import InvoiceClaimedElsewhere, KeysClaimedElsewhere
from contracts_schema.reasons import HoldReason
from contracts_schema.rows import OffsetRange, Partition
from services.reconciliation.elsewhere import away
from services.reconciliation.log import read_entry
from services.reconciliation.state import decode_state
from services.reconciliation.view import standings
from services.runtime.hallway import DeadlyRecord, Hallway
from services.runtime.outgoing import Topics
from services.runtime.reading import Reader
from services.runtime.routing import index_in_force

OF_CLAIMS = (InvoiceClaimedElsewhere, KeysClaimedElsewhere)
DONE = ("applied", "already_applied")


def pays(bill, commands):
    """Whether these commands together let all of an invoice go."""
    targets = [t for c in commands for t in c["targets"] if t["invoice"] == bill.number]
    return sum(int(t["payable_to_date"]["amount"].replace(".", "")) for t in targets) >= NET


def newest(commands):
    """The last command of each milestone."""
    found = {}
    for command in commands:
        place = (command["contract"], command["milestone"])
        if place not in found or command["sequence"] > found[place]["sequence"]:
            found[place] = command
    return found


def unsettled(world):
    """What is not done yet."""
    tables, until = world.server.tables, latest(world)
    has_gates = "g1" in world.names
    read = [*world.inputs, *world.outs] if has_gates else world.inputs
    sent = {p: len(world.topics.records[p]) for p in read}
    carried = {place: state.next or 0 for (_, place), state in tables.offsets.items()}
    carried |= {place: following or 0 for (_, place), (_, following) in world.wanted.offsets.items()}
    left = [
        f"{p.topic}/{p.number} is read to {carried.get(p, 0)} of {n}" for p, n in sent.items() if carried.get(p, 0) < n
    ]
    left += [f"{len(tables.outbox)} rows in the outbox"] if tables.outbox else []
    left += [f"{review} is due" for review in tables.reviews() if review.moment <= until]
    left += [f"{len(world.wanted.said)} answers to publish"] if world.wanted.said else []
    if left or not has_gates:
        return left
    last = newest(world.commands())
    left = [fault for bill in world.ledger.bills.values() for fault in amiss(world, bill, last)]
    told = {e["command_id"]: e["state"] for e in answers(world)}
    return left + [f"{place} was answered {told.get(c['command_id'])}" for place, c in last.items()
                   if told.get(c["command_id"]) not in DONE]  # fmt: skip


def amiss(world, bill, last):
    """In what an invoice is not as the last commands want it."""
    named = [c for c in last.values() if any(t["invoice"] == bill.number for t in c["targets"])]
    claimed = any(("ap", key) in world.server.tables.crosswalk for key in bill.keys)
    wanted = not pays(bill, named) if named else claimed
    if world.ledger.is_blocked(bill.id) is not wanted:
        yield f"{bill.number} should be {'blocked' if wanted else 'free'}"


def answers(world):
    """What gates have told of commands, partition by partition. What comes again under its id is no news: a gate may be
    slow to send it.
    """
    records = [r for p in world.inputs if p.topic == "ap.events" for r in world.topics.records[p]]
    told = {}
    for record in records:
        if record.header("ce_type") == "milepost.command.acknowledged.v1":
            told.setdefault(record.header("ce_id"), decode(record.value))
    return told.values()


async def ends(world):
    """Everything that does not hold once all is settled."""
    faults = list(outcomes(world))
    by_contract = defaultdict(list)
    for command in world.commands():
        by_contract[command["contract"]].append(command)
    straight = await straight_run(world)
    stored = {name: row.state for name, row in world.server.tables.states.items()}
    if straight.keys() != stored.keys():
        return [*faults, f"contracts {sorted(stored)}, not {sorted(straight)}"]
    for name, raw in sorted(stored.items()):
        state, expected = decode_state(raw), straight[name]
        rows = [row for (contract, _), row in sorted(world.server.tables.log.items()) if contract == name]
        try:
            check_contract(rows, state, by_contract.pop(name, []))
        except AssertionError as fault:
            faults.append(f"{name}: {fault or 'log and topic do not agree'}")
        if facts_of(state) != facts_of(expected):
            faults.append(f"{name} knows other facts than after a straight run")
        if allowed(state) != allowed(expected):
            faults.append(f"{name} allows {allowed(state)}, not {allowed(expected)}")
    return faults + [f"commands of {name}, which nobody knows" for name in by_contract]


def check_contract(rows, state, on_topic):
    """The log's chain gives the same state and commands again, and each raise of a release was without a doubt."""
    again, logged = rebuilt(rows, RULES)
    assert (again.head, again.sequence, slots_of(again)) == (state.head, state.sequence, slots_of(state)), "log"
    check_said(logged, on_topic)
    assert not state.frozen, state.frozen
    released = Counter()
    for decided in (d for row in rows for d in read_entry(row).decisions):
        if decided.released > released[decided.milestone]:
            blocking = [r.code for r in decided.reasons if HoldReason(r.code) not in PARTIAL]
            assert not blocking, f"{decided.milestone} released under {blocking}"
            assert decided.released <= min(decided.allowed, decided.value), f"{decided.milestone} released too much"
        released[decided.milestone] = decided.released


def outcomes(world):
    """Every record has one recorded outcome."""
    counts = Counter()
    for day in world.server.tables.counts.values():
        counts.update(day)
    sent = sum(len(world.topics.records[p]) for p in world.inputs)
    ended = sum(n for name, n in counts.items() if name.startswith("record."))
    if not counts["read"] == ended == sent:
        yield f"{sent} records, {counts['read']} read, {ended} with an outcome"


def facts_of(state):
    """What is known, by subject. What we say ourselves of other contracts' claims counts without its number; what waits
    until a version comes into force, or is another's by its key, may wait here or among the parked facts, by what came
    first."""
    ours = {subject for subject, slot in state.slots.items() if isinstance(slot.body, OF_CLAIMS)}
    told = {s: state.slots[s].body for s in ours if getattr(state.slots[s].body, "claims", ())}
    index = index_in_force(state)
    waiting = {s for s, slot in state.slots.items() if (slot.parked and not index) or away(state, index, slot.address)}
    return {subject: slot for subject, slot in slots_of(state).items() if subject not in ours | waiting} | told


def allowed(state):
    """What each milestone may be paid."""
    return {s.position.milestone: s.position.allowed for s in standings(state, RULES)}


async def straight_run(world):
    """The states after the same records one by one in memory, and every review up to where all was read.

    A record at which so many processes happened to die that it was set aside is left out here, too.
    """
    store, frontier = MemoryStore(lambda: 0), read_to(world)
    hallway = Hallway(store, Reader(TOLD, RULES, "sim"), RULES, Topics(), "simulated")
    aside = {f"{q.topic}/{q.partition}/{q.offset}" for q, _ in world.server.tables.quarantine.values()
             if q.fault == DeadlyRecord.fault}  # fmt: skip
    sent = (r for p in world.inputs for r in world.topics.records[p] if r.origin not in aside)
    records = sorted(sent, key=lambda r: r.timestamp)
    await store.take("straight", "sim", world.inputs)
    for record in records:
        place = Partition(record.topic, record.partition)
        moved = OffsetRange("sim", place, record.offset, record.offset + 1, record.timestamp * 1000)
        await hallway.carry([record], "straight", [moved], record.timestamp * 1000)
        while (await hallway.wake(record.timestamp * 1000, 100, record.timestamp * 1000)).woken:
            pass
    while (await hallway.wake(frontier, 100, frontier)).woken:
        pass
    return {name: decode_state(row.state) for name, row in store._tables.states.items()}


def read_to(world):
    """Where all partitions were read to."""
    return min((state.read_to for state in world.server.tables.offsets.values()), default=0)


def latest(world):
    """The moment up to which reviews are to have run: that of the newest record, or where all was read to."""
    newest_ms = max((r.timestamp for p in world.inputs for r in world.topics.records[p]), default=0)
    return max(read_to(world), newest_ms * 1000)

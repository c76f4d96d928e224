"""The log by itself: numbered without a gap, chained, one sequence of commands, and nothing lost behind the state."""

from hashlib import sha256

from judging.evidence import OUTPUTS, Finding
from judging.inputs import event_of

CLOCKS_US = 5_000_000  # by which clocks of broker and database may differ


def check_chains(evidence):
    """Every contract's revisions: number, chain, rulebook, moment; and that the state is as far as the log."""
    for contract, rows in sorted(evidence.log.items()):
        yield from _check_rows(contract, rows, evidence.books)
        yield from _check_sequences(contract, rows)
    for contract in sorted(evidence.contracts.keys() | evidence.log.keys()):
        stands, logged = evidence.contracts.get(contract), len(evidence.log.get(contract, ()))
        if stands != logged:
            yield Finding("chain", contract, f"a state at revision {logged}, as the log", f"it is at {stands}")


def _check_rows(contract, rows, books):
    head, moment = bytes(32), 0
    for number, row in enumerate(rows, 1):
        where, entry = f"revision {number}", row.entry
        if (row.revision, entry.contract, entry.revision) != (number, contract, number):
            found = f"row {row.revision} holds revision {entry.revision} of {entry.contract}"
            yield Finding("chain", contract, f"{where} of this contract", found)
        if row.previous != head:
            yield Finding("chain", contract, f"{where} follows {head.hex()[:16]}…", f"{row.previous.hex()[:16]}…")
        if row.head != sha256(row.previous + row.raw).digest():
            yield Finding("chain", contract, f"{where} has the hash of its content", f"{row.head.hex()[:16]}…")
        book = books.get(entry.rulebook)
        if book is None or "sha256:" + sha256(book).hexdigest() != entry.rulebook:
            yield Finding("chain", contract, f"{where} names a rulebook that is kept", entry.rulebook)
        if entry.moment < moment:
            yield Finding("chain", contract, f"{where} is not before {moment}", f"{entry.moment}")
        head, moment = row.head, max(moment, entry.moment)


def _check_sequences(contract, rows):
    """From 1, without a gap; behind commands that were taken over (`commands.adopted`) from there."""
    last = 0
    for row in rows:
        taken_over = [f.body["sequence"] for f in row.entry.facts if f.body["kind"] == "commands.adopted"]
        last = max([last, *taken_over])
        for decision in row.entry.decisions:
            if decision.said is not None:
                if decision.said.sequence != last + 1:
                    found = f"{decision.said.sequence} in revision {row.revision}"
                    yield Finding("sequence", contract, f"sequence {last + 1}", found)
                last = decision.said.sequence


def check_traces(evidence):
    """Every decision rests on facts that stand in the log, no later than it; no event counts twice."""
    for contract, rows in sorted(evidence.log.items()):
        known, said = set(), set()
        for row in rows:
            for fact in row.entry.facts:
                known.add(f"{fact.source}/{fact.id}")
                event = (
                    fact.source,
                    fact.id,
                    fact.version,
                    fact.mapper,
                    fact.edition,
                    repr(fact.address),
                    repr(fact.body),
                )
                if event in said:
                    found = f"again in revision {row.revision}"
                    yield Finding("doubled", contract, f"{fact.source}/{fact.id} counts once", found)
                said.add(event)
            for decision in row.entry.decisions:
                yield from _untraced(contract, row, decision, known)


def _untraced(contract, row, decision, known):
    named = {*decision.basis, *(fact for reason in decision.reasons for fact in reason[4])}
    for fact in sorted(named - known):
        yield Finding("trace", contract, f"revision {row.revision} rests on facts before it", f"{fact} is not there")
    if decision.said is not None and decision.said.targets and not decision.basis:
        yield Finding("trace", contract, f"the command of revision {row.revision} names its facts", "it names none")


def check_reviews(evidence):
    """No review ran before everything was read that the broker had by then (with some seconds for its clock)."""
    came = {}
    for topic, records in evidence.topics.items():
        for record in records if evidence.punctual and topic not in OUTPUTS else ():
            name = event_of(record.value, record.headers)
            if name is not None:
                came[name[0]] = min(record.timestamp * 1000, came.get(name[0], record.timestamp * 1000))
    for contract, rows in sorted(evidence.log.items()):
        reviewed = 0
        for row in rows:
            for fact in row.entry.facts if row.entry.cause != "unparked" else ():
                if came.get(fact.id, reviewed) < reviewed - CLOCKS_US:
                    found = f"{fact.source}/{fact.id} comes after it, in revision {row.revision}"
                    yield Finding("too soon", contract, f"the review of {reviewed} has read what came before", found)
            reviewed = row.entry.moment if row.entry.cause == "review" else reviewed

"""What is parked waits for somebody: nothing lies there that a registered contract would take (rule A10)."""

from judging.evidence import Finding
from judging.known import Known, Slot


def check_waiting(evidence):
    """No fact is parked as unknown that exactly one contract would take as it stands at the end of its log."""
    plans = {}
    for contract, rows in evidence.log.items():
        known = Known()
        for row in rows:
            for fact in row.entry.facts:
                known.take(fact, row.entry.moment)
        plans[contract] = (known, known.plan(rows[-1].entry.moment))
    for origin, fact, reason in evidence.parked:
        slot = Slot(fact)
        slot.take(fact)
        named, *_ = fact.address
        takers = [c for c, (known, plan) in plans.items() if plan and named in (None, c) and known.homes(plan, slot)]
        if len(takers) == 1 and reason == "unknown":
            yield Finding("lost input", takers[0], f"{fact.source}/{fact.id} of {origin} counts here", "it is parked")

"""What is parked waits for somebody: nothing lies there that a registered contract would take (rule A10)."""

from collections import defaultdict

from judging.evidence import Finding
from judging.known import Known, Slot


def check_waiting(evidence):
    """No fact is parked as unknown that exactly one contract would take as it stands at the end of its log."""
    plans, claims = {}, defaultdict(set)
    for contract, rows in evidence.log.items():
        known = Known()
        for row in rows:
            for fact in row.entry.facts:
                known.take(fact, row.entry.moment)
        plan = known.plan(rows[-1].entry.moment)
        for refs in [plan["refs"], *(m["refs"] for m in plan["milestones"])] if plan else ():
            for source, keys in refs.items():
                for key in keys:
                    claims[source, key].add(contract)
        plans[contract] = (known, plan)
    for origin, fact, reason in evidence.parked:
        named, _, source, keys = fact.address
        asked = {named} & plans.keys() if named is not None else set().union(*(claims[source, key] for key in keys))
        takers = [contract for contract in asked if _takes(*plans[contract], fact)]
        if len(takers) == 1 and reason == "unknown":
            yield Finding("lost input", takers[0], f"{fact.source}/{fact.id} of {origin} counts here", "it is parked")


def _takes(known, plan, fact):
    slot = Slot(fact)
    slot.take(fact)
    return bool(plan and known.homes(plan, slot))

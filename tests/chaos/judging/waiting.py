"""Each word counts with whom its key is claimed, and what is parked waits for somebody (rules A7, A10, B5)."""

from collections import defaultdict

from judging.evidence import Finding
from judging.known import OWN_WORDS, Known, Slot, subject_of
from judging.places import ENDS


def check_waiting(evidence):
    """No fact is parked as unknown that exactly one contract would take as it stands at the end of its log; none counts
    under a key that is not its contract's alone; none is missing where its key is claimed by one."""
    houses, claims = _at_the_end(evidence)
    parked = {subject_of(fact) for _, fact, _ in evidence.parked}
    for origin, fact, reason in evidence.parked:
        named, _, source, keys = fact.address
        asked = {named} & houses.keys() if named is not None else set().union(*(claims[source, key] for key in keys))
        takers = [contract for contract in asked if _takes(*houses[contract], fact)]
        if len(takers) == 1 and reason == "unknown":
            yield Finding("lost input", takers[0], f"{fact.source}/{fact.id} of {origin} counts here", "it is parked")
    for contract, (known, plan) in houses.items():
        for subject, slot in known.slots.items():
            owners = _owners(slot, claims)
            if owners == {contract} or not _goes_with_its_key(slot):
                continue
            if owners and plan and not slot.waits and known.homes(plan, slot):
                yield Finding(
                    "early", contract, f"{slot.kind} under {slot.address[3]} is no word of this contract", "it is"
                )
            for owner in owners if len(owners) == 1 else ():
                if subject not in houses[owner][0].slots and subject not in parked:
                    yield Finding(
                        "lost input", owner, f"{slot.kind} under {slot.address[3]} is known", f"to {contract} alone"
                    )


def _at_the_end(evidence):
    """What each contract knows with its plan, and who claims which key."""
    houses, claims = {}, defaultdict(set)
    for contract, rows in evidence.log.items():
        known = Known()
        for row in rows:
            if row.entry.cause == "unparked":
                known.let_in(row.entry.moment)
            for fact in row.entry.facts:
                known.take(fact, row.entry.moment)
        plan = known.plan(rows[-1].entry.moment)
        for refs in [plan["refs"], *(m["refs"] for m in plan["milestones"])] if plan else ():
            for source, keys in refs.items():
                for key in keys:
                    claims[source, key].add(contract)
        houses[contract] = (known, plan)
    return houses, claims


def _takes(known, plan, fact):
    slot = Slot(fact)
    slot.take(fact)
    return bool(plan and known.homes(plan, slot))


def _owners(slot, claims):
    """Who claims the first of its keys that anybody claims."""
    _, _, source, keys = slot.address
    return next((claims[source, key] for key in keys if claims.get((source, key))), set())


def _goes_with_its_key(slot):
    """Not what bears our own ids, nor a person's hold or dispute, which stays where it stood (law 4)."""
    stays = ENDS.get(slot.kind, slot.kind) in ("hold.placed", "dispute.opened")
    return slot.address[0] is None and slot.kind not in OWN_WORDS and not stays

"""What sources say in one run: contracts, each told of in its own order, some of it twice, late, or garbage."""

from dataclasses import replace
from datetime import timedelta
from random import Random

from builders import (
    START,
    a_contract,
    a_milestone,
    an_amendment,
    attached,
    disputed,
    held_by,
    invoice,
    lifted_by,
    met,
    record_of,
    registered,
    resolved,
    said,
    signed,
    waived,
)  # fmt: skip
from msgspec import structs

CONTRACTS = ("C-1", "C-4", "C-2")  # the first two lie in different partitions, where there are two
SHARED = "I-shared"  # an invoice that several contracts claim
PROOFS = (["invoiced"], ["invoiced"], ["invoiced"], ["met", "invoiced"], ["met", "signed_off", "invoiced"])


def plan(rng, contract):
    """A contract of one or two milestones that a few proofs release."""
    milestones = [
        a_milestone(f"M{n}", requires=rng.choice(PROOFS), refs={"pm": [f"issue:{contract}-M{n}"],
                    "ap": [f"line:{contract}-M{n}"]}, due="2026-03-02") for n in range(1, rng.choice((1, 1, 2)) + 1)
    ]  # fmt: skip
    terms = rng.choice(({}, {}, {}, {}, {}, {}, {"compliance": ["insurance"]}))
    return a_contract(*[m | {"refs": refs(rng, m)} for m in milestones], contract=contract, **terms)


def amended(rng, plan, version):
    """Another version: worth more or less, at once or from the day after tomorrow. It may give up the project tool's
    key, or claim another contract's, too."""
    worth = rng.choice(("50.00", "100.00", "120.00"))
    milestones = [m | {"value": worth, "refs": refs(rng, m)} for m in plan["milestones"]]
    amendment = an_amendment(id=f"A-{version}", **rng.choice(({}, {}, {"effective_from": "2026-03-03"})))
    return plan | {"version": version, "amendment": amendment, "milestones": milestones}


def refs(rng, milestone):
    """What a milestone claims: mostly its own keys, else also another contract's, or none of the project tool's."""
    own = milestone["refs"]["pm"][:1]
    pm = rng.choice((own, own, own, own, [], [*own, f"issue:{rng.choice(CONTRACTS)}-M1"]))
    return milestone["refs"] | {"pm": pm}


def number_of(rng, contract, milestone, rivals=8):
    """The invoice's number; one in `rivals` is the one that others claim as well."""
    return SHARED if rng.randrange(rivals) == 0 else f"I-{contract}-{milestone}"


def events(rng, contract, count):
    """What is said of one contract, in the order in which it is meant: mostly what lets go and what stops, in turn."""
    first = plan(rng, contract)
    names = [m["id"] for m in first["milestones"]]
    told = [registered(first)]
    rivals = rng.choice((8, 8, 2))
    told += [invoice("100.00", number_of(rng, contract, m, rivals), m, contract=contract) for m in names]
    for n in range(count):
        kind = rng.choices(tuple(SAYS), tuple(weight for weight, _ in SAYS.values()))[0]
        if kind == "amended":
            told.append(registered(amended(rng, first, n + 2)))
        else:
            m = rng.choice(names)
            told.append(SAYS[kind][1](rng, contract, m, n + 1))
            if kind == "invoice" and rng.random() < 0.4:  # and taken back at once
                told.append(SAYS["cancelled"][1](rng, contract, m, n + 1))
    return told


def at_key(rng, contract, milestone):
    """A milestone, mostly by our own ids, else by those of the project tool."""
    if rng.randrange(3):
        return {"milestone": milestone, "contract": contract}
    return {"milestone": None, "key": f"issue:{contract}-{milestone}"}


SAYS = {
    "met": (8, lambda rng, c, m, n: met(**at_key(rng, c, m), version=n)),
    "not met": (1, lambda rng, c, m, n: met(**at_key(rng, c, m), version=n, status="notMet")),
    "invoice": (16, lambda rng, c, m, n: invoice("100.00", number_of(rng, c, m), m, contract=c)),
    "cancelled": (6, lambda rng, c, m, n: invoice("100.00", f"I-{c}-{m}", m, contract=c, state="cancelled")),
    "signed": (4, lambda rng, c, m, n: signed(rng.choice(("jane", "joe")), m, contract=c)),
    "held": (6, lambda rng, c, m, n: held_by(milestone=m, contract=c)),
    "lifted": (9, lambda rng, c, m, n: lifted_by(milestone=m, contract=c)),
    "disputed": (2, lambda rng, c, m, n: disputed(milestone=m, contract=c)),
    "resolved": (6, lambda rng, c, m, n: resolved(m, contract=c)),
    "waived": (2, lambda rng, c, m, n: waived("NOT_MET", m, contract=c)),
    "attached": (1, lambda rng, c, m, n: attached(milestone=m, contract=c)),
    "insured": (2, lambda rng, c, m, n: said(
        "portal", "compliance.document", None, contract=c, name="insurance", valid_from="2026-01-01",
        valid_until=rng.choice(("2026-03-02", "2027-12-31")))),
    "amended": (3, None),
}  # fmt: skip


def load(seed, contracts, count):
    """Records to send, in order, without a moment: `contracts` contracts, about `count` events each."""
    rng = Random(f"load {seed}")
    queues = [events(rng, name, rng.randint(count // 2, count)) for name in CONTRACTS[:contracts]]
    said_at, mixed = START, []
    while any(queues):
        queue = rng.choice([queue for queue in queues if queue])
        at = 0 if rng.random() < 0.8 else rng.randrange(min(3, len(queue)))
        said_at += timedelta(milliseconds=1)
        mixed.append((replace(queue.pop(at), time=said_at), f"e{len(mixed)}"))
    if contracts > 1 and rng.random() < 0.5:  # an invoice that two claim at once
        for contract in CONTRACTS[:2]:
            said_at += timedelta(milliseconds=1)
            mixed.append((replace(invoice("100.00", SHARED, contract=contract), time=said_at), f"e{len(mixed)}"))
    records = []
    for event, name in mixed:
        made = record_of(event, said_at, name)
        contract = event.data.get("contract") or event.data["ref"]["key"].partition(":")[2].rpartition("-")[0]
        records.append(structs.replace(made, key=contract.encode()))
        if rng.random() < 0.15:
            records.insert(rng.randint(max(0, len(records) - 5), len(records)), records[-1])
        if rng.random() < 0.03:
            records.append(structs.replace(records[-1], value=made.value[: len(made.value) // 2]))
    return records


def invoices(contracts):
    """The invoices that finance has, by the key of the contract's milestone."""
    named = [(f"I-{name}-M{m}", f"line:{name}-M{m}") for name in CONTRACTS[:contracts] for m in (1, 2)]
    return [*named, (SHARED, "line:C-1-M1")]

"""Rule D8 across contracts: any order and any batches find the same invoices claimed twice, and the log has it."""

from datetime import timedelta

from builders import START, Story, a_contract, a_milestone, an_amendment, record_of, registered, said
from hypothesis import given, note
from hypothesis import strategies as st
from laws.chances import few, rarely
from laws.histories import batches, summary
from laws.profiles import tried
from laws.test_order import allowed, differences, standing
from laws.test_rebuilding import assert_each_log_gives_its_state

CONTRACTS = ("A", "B", "C")
CODE = "INVOICE_CLAIMED_TWICE"
ELSEWHERE = "invoice.claimed_elsewhere"


@st.composite
def plans(draw, contract, version=1):
    """A supplier under one or several of its names; a later version may have given a milestone up."""
    names = ["M1", "M2"] if version == 1 else draw(few([["M1", "M2"], ["M2"], ["M1"]]))
    milestones = [a_milestone(name, "100.00", requires=["invoiced"]) for name in names]
    supplier = {"id": draw(few(["S1", "S1", "S2"])), "identifiers": draw(few([[], ["T1"], ["T1", "T2"]]))}
    more = {"amendment": an_amendment(id=f"A-{version}")} if version > 1 else {}
    return registered(a_contract(*milestones, contract=contract, version=version, supplier=supplier, **more))


@st.composite
def invoices(draw):
    """A part of one of two invoices, at some contract, as one of three systems tells it."""
    data = {
        "number": draw(few(["I-1", "I-1", " I-1", "I-2"])), "supplier": draw(few(["S1", "S1", "S2", "T1", "T2"])),
        "net": draw(few(["100.00", "60.00", "40.00", "0.00", "-40.00"])), "issued_on": "2026-02-20",
        "state": draw(few(["open", "open", "open", "paid", "cancelled"])),
    }  # fmt: skip
    if rarely(draw, 3):
        data["total"] = draw(few(["100.00", "160.00", "60.00"]))
    if rarely(draw, 3):
        data["supplier_identifiers"] = draw(few([["S1"], ["T1"], ["T2", "S2"], None]))
    if rarely(draw, 4):
        data["business_unit"] = draw(few(["north", "south"]))
    if rarely(draw, 9):
        data["currency"] = "USD"
    if rarely(draw, 3):
        data["version"] = draw(st.integers(1, 3))
    where = {"contract": draw(few(CONTRACTS)), "milestone": draw(few(["M1", "M1", "M2"]))}
    return said(draw(few(["portal", "portal", "erp", "ap"])), "invoice.received", **where, **data)


@st.composite
def shared(draw, most=14):
    """What is said of two or three contracts that may share invoices."""
    contracts = CONTRACTS[: draw(few([2, 3, 3]))]
    events = [draw(plans(contract)) for contract in contracts]
    events += [draw(plans(contract, 2)) for contract in contracts if rarely(draw, 3)]
    events += [draw(invoices()) for _ in range(draw(st.integers(2, most)))]
    now, records = START, []
    for n, event in enumerate(events):
        now += timedelta(seconds=1)
        records.append(record_of(event, now, f"e{n}"))
    return records


def told(cut):
    story = Story()
    for batch in cut:
        story.carry(batch)
    assert not story.defects
    return story


def known(story):
    """What counts in each contract; of what Milepost has found itself only what it says, not when it was found."""
    found = {}
    for contract in story.contracts():
        for place, slot in standing(story.state(contract)).items():
            if slot.kind != ELSEWHERE:
                found[contract, *place] = slot
            elif slot.body.claims:
                found[contract, *place] = slot.body
    return found


def held_twice(story):
    """Every milestone with the reason, and its sentence."""
    return {
        (contract, milestone): reason.detail
        for contract in story.contracts()
        for milestone, s in story.standings(contract).items()
        for reason in s.position.reasons
        if reason.code == CODE
    }


@tried(150)
@given(st.data())
def test_in_any_order_and_any_batches_the_same_claims_are_found(data):
    records = data.draw(shared())
    shuffled = data.draw(st.permutations(records))
    note(summary(shuffled))
    one, other = told([[record] for record in records]), told(data.draw(batches(shuffled)))
    assert not differences(known(one), known(other))
    assert not differences(allowed(one), allowed(other))
    assert not differences(held_twice(one), held_twice(other))
    assert claims_at_rest(one) == claims_at_rest(other)


def claims_at_rest(story):
    return story.store._tables.invoices


@tried(150)
@given(st.data())
def test_all_that_is_claimed_twice_is_held_and_nothing_else(data):
    records = data.draw(shared())
    note(summary(records))
    story = told(data.draw(batches(records)))
    assert held_twice(story).keys() == expected(parts_of(story))


def parts_of(story):
    """Every standing part of every invoice, of all contracts."""
    return [
        (contract, milestone, invoice)
        for contract in story.contracts()
        for milestone, s in story.standings(contract).items()
        if s.case is not None
        for invoice in s.case.invoices
        if invoice.stands
    ]


def expected(parts):
    """Slowly and plainly: every part, with every part that may be of its invoice, of its contract and of all."""
    held = set()
    for contract, milestone, invoice in parts:
        together = one_supplier(invoice, [p for p in parts if p[2].number == invoice.number])
        for unit in {p[2].business_unit for p in together} - {None} or {None}:
            if invoice.business_unit in (None, unit):
                every = [p for p in together if p[2].business_unit in (None, unit)]
                own = [p for p in every if p[0] == contract and p[2].identity == invoice.identity]
                if too_much(own) or (len({p[0] for p in every}) > 1 and too_much(every)):
                    held.add((contract, milestone))
    return held


def one_supplier(invoice, parts):
    names, size = set(invoice.known_as), 0
    while len(names) != size:
        size = len(names)
        names.update(*(p[2].known_as for p in parts if names & p[2].known_as))
    return [p for p in parts if names & p[2].known_as]


def too_much(parts):
    nets, totals = [p[2].net for p in parts], [p[2].total for p in parts if p[2].total]
    totals = [t for t in totals if t.currency == nets[0].currency] or totals
    if len({money.currency for money in (*nets, *totals)}) > 1:
        return len(parts) > 1
    most = max(abs(money.minor) for money in (totals or nets))
    return len(parts) > 1 and abs(sum(net.minor for net in nets)) > most


@tried(80)
@given(st.data())
def test_the_log_alone_gives_the_same_decisions(data):
    records = data.draw(shared())
    note(summary(records))
    story = told(data.draw(batches(data.draw(st.permutations(records)))))
    assert_each_log_gives_its_state(story)


@tried(60)
@given(st.data())
def test_everything_again_changes_nothing_and_wakes_nobody(data):
    records = data.draw(shared())
    note(summary(records))
    story = told([[record] for record in records])
    before = {name: (story.raw(name), story.log(name)) for name in story.contracts()}
    commands, claims = story.commands, dict(claims_at_rest(story))
    for record in data.draw(st.permutations(records)):
        assert not story.carry([record]).rouses
    assert {name: (story.raw(name), story.log(name)) for name in story.contracts()} == before
    assert (story.commands, claims_at_rest(story)) == (commands, claims)


@tried(60)
@given(st.data())
def test_nothing_is_released_that_was_known_to_be_claimed_twice(data):
    """At every step: what goes out, goes out of milestones without the reason."""
    records = data.draw(shared())
    note(summary(records))
    story, before = Story(), {}
    for batch in data.draw(batches(records)):
        story.carry(batch)
        for contract in story.contracts():
            for milestone, s in story.standings(contract).items():
                if CODE in {reason.code for reason in s.position.reasons}:
                    assert s.position.released <= before.get((contract, milestone), 0)
                before[contract, milestone] = s.position.released

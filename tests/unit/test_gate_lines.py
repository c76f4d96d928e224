"""Which payable lines may be paid, and what is to be done with an invoice (rules E4, E5)."""

from datetime import date

import pytest
from gate_desk import command, target

from contracts_schema.payables import Bill, Called, CallState, Payable
from mappers.finance.allocation import allocate
from services.gate.fence import accept
from services.gate.judge import Tried, judged
from services.gate.memory import BillMemory, ContractMemory
from services.gate.remember import remembered, sightings
from services.gate.steps import Order, outlooks, steps

OURS = {"blocked": True, "holder": "ours"}
THEIRS = {"blocked": True, "holder": "other", "by": "3"}


def line(number, gross, day=1, **fields):
    return Payable(str(number), gross, **{"blocked": False, "maturity": date(2026, 3, day), **fields})


def bill(*lines, net=None, gross=None, **fields):
    whole = gross if gross is not None else sum(p.gross for p in lines)
    return Bill(
        "inv:1",
        "INV-1",
        ("SUP-1001",),
        "EUR",
        net if net is not None else whole,
        whole,
        **{"state": "open", **fields},
        lines=tuple(lines),
    )


ALLOCATIONS = [
    # name, lines, net, payable -> allowed, free, late, left
    ("all of it", [line(1, 100)], 100, 100, (100, {"1"}, (), 0)),
    ("nothing", [line(1, 100)], 100, 0, (0, set(), (), 0)),
    ("one cent less than one line", [line(1, 100)], 100, 99, (99, set(), (), 99)),
    ("taxed, in full", [line(1, 119)], 100, 100, (119, {"1"}, (), 0)),
    ("taxed, rounded down", [line(1, 60), line(2, 59)], 100, 50, (59, set(), (), 59)),
    (
        "two of three in order of maturity",
        [line(3, 50, 3), line(1, 30, 1), line(2, 20, 2)],
        100,
        60,
        (60, {"1", "2"}, (), 10),
    ),
    (
        "no later line before an earlier one that does not fit",
        [line(1, 80, 1), line(2, 20, 2)],
        100,
        30,
        (30, set(), (), 30),
    ),
    ("a line without maturity comes last", [line(1, 50, maturity=None), line(2, 50)], 100, 50, (50, {"2"}, (), 0)),
    ("more payable than its net", [line(1, 100)], 100, 300, (100, {"1"}, (), 0)),
    ("what is paid goes off first", [line(1, 50, 1), line(2, 50, 2, state="paid")], 100, 50, (50, {"2"}, (), 0)),
    ("what leaves goes off first", [line(1, 50, 1), line(2, 50, 2, state="in_payment")], 100, 50, (50, {"2"}, (), 0)),
    ("too late", [line(1, 100, state="in_payment")], 100, 40, (40, set(), ("1",), 0)),
    ("what is owed to us makes no other line fit", [line(1, -50), line(2, 100)], 50, 25, (25, {"1"}, (), 25)),
    ("what is owed to us counts where all may be paid", [line(1, -50), line(2, 100)], 50, 50, (50, {"1", "2"}, (), 0)),
    ("two lines of one id", [line(1, 50), line(1, 50, 2)], 100, 50, (0, set(), (), 0)),
    ("a credit note", [line(1, -100)], -100, 0, (0, {"1"}, (), 100)),
]


@pytest.mark.parametrize(
    ("lines", "net", "payable", "expected"),
    [row[1:] for row in ALLOCATIONS[:-1]],
    ids=[row[0] for row in ALLOCATIONS[:-1]],
)
def test_lines_are_freed_in_order_of_maturity_while_their_gross_fits(lines, net, payable, expected):
    found = allocate(bill(*lines, net=net), payable)
    assert (found.allowed, set(found.free), tuple(p.id for p in found.late), found.left) == expected


def test_what_no_line_shows_any_more_may_have_left():
    assert allocate(bill(line(2, 50), net=100, gross=100), 50) == (50, frozenset(), (), 0)
    assert allocate(bill(line(2, 50), net=100, gross=100), 75) == (75, frozenset(), (), 25)
    assert allocate(bill(line(2, 50), net=100, gross=100), 100) == (100, {"2"}, (), 0)


def orders(*wanted):
    made = []
    memories = {}
    for number, one in enumerate(wanted, 1):
        memory = memories.setdefault(one.contract, ContractMemory())
        accept(memory, one, ours=True)
        assert number
    for contract, memory in memories.items():
        for name, kept in memory.milestones.items():
            made += [Order(contract, name, kept, wish, memory.payable(kept, wish)) for wish in kept.wishes]
    return made


def look(found, wanted, claimed=(), holds_unclaimed=True):
    return outlooks([found], wanted, dict.fromkeys(claimed, ("C-1",)), holds_unclaimed=holds_unclaimed)[0]


def calls(outlook, memory=None, reassert=False):
    return [
        (s.line.id, "block" if s.block else "free") for s in steps(outlook, memory or BillMemory(), reassert=reassert)
    ]


HOLD = [command(1, [target(payable=0)])]
FREE = [command(1, [target(payable=100_00)])]


def test_a_hold_blocks_what_is_open_and_leaves_what_is_blocked():
    found = bill(line(1, 60_00), line(2, 40_00, **OURS))
    assert calls(look(found, orders(*HOLD))) == [("1", "block")]


def test_a_release_frees_our_blocks_and_never_another_s():
    found = bill(line(1, 60_00, **OURS), line(2, 40_00, **THEIRS))
    assert calls(look(found, orders(*FREE))) == [("1", "free")]


def test_milestones_of_several_contracts_decide_together():
    both = orders(command(1, [target(payable=60_00)]), command(1, [target(payable=40_00)], contract="C-2"))
    assert calls(look(bill(line(1, 100_00, **OURS)), both)) == [("1", "free")]
    assert calls(look(bill(line(1, 100_00, **OURS)), both[:1])) == []


def test_an_invoice_that_is_no_longer_listed_keeps_its_block():
    assert calls(look(bill(line(1, 100_00, **OURS)), [], claimed=["inv:1"])) == []
    assert calls(look(bill(line(1, 100_00, **OURS)), [])) == []


def test_an_unclaimed_invoice_under_a_contract_s_key_is_blocked_unless_it_is_only_observed():
    found = bill(line(1, 100_00))
    assert calls(look(found, [], claimed=["inv:1"])) == [("1", "block")]
    assert calls(look(found, [], claimed=["inv:1"], holds_unclaimed=False)) == []
    assert calls(look(found, [])) == []


def test_of_two_open_invoices_with_one_number_none_is_freed_unless_the_command_names_it():
    one = bill(line(1, 100_00, **OURS))
    two = Bill("inv:2", "INV-1", ("SUP-1001",), "EUR", 100_00, 100_00, "open", (line(9, 100_00),))
    doubtful = outlooks([one, two], orders(*FREE), {}, holds_unclaimed=True)
    assert [calls(o) for o in doubtful] == [[], [("9", "block")]]
    named = orders(command(1, [target(payable=100_00, ids=("inv:1",))]))
    assert [calls(o) for o in outlooks([one, two], named, {}, holds_unclaimed=True)] == [
        [("1", "free")],
        [("9", "block")],
    ]


def test_another_supplier_s_invoice_with_the_same_number_is_not_meant():
    theirs = Bill("inv:2", "INV-1", ("SUP-2",), "EUR", 100_00, 100_00, "open", (line(9, 100_00),))
    assert calls(outlooks([theirs], orders(*HOLD), {}, holds_unclaimed=True)[0]) == []


def test_a_block_that_was_lifted_by_hand_is_told_once_and_placed_again_only_by_policy():
    wanted = orders(*HOLD)
    placed = look(bill(line(1, 100_00, **OURS)), wanted)
    memory = remembered(placed, BillMemory(), {})
    assert sightings(placed, memory) == []
    lifted = look(bill(line(1, 100_00, lifted_by="other", by="7")), wanted)
    assert calls(lifted, memory) == []
    assert calls(lifted, memory, reassert=True) == [("1", "block")]
    after = remembered(lifted, memory, {})
    assert [(s.holder, s.held, s.by) for s in sightings(lifted, after)] == [("ours", False, "7")]
    assert sightings(lifted, remembered(lifted, after, {})) == []
    newer = orders(command(1, [target(payable=0)]), command(2, [target(payable=0)], value=2000_00))
    assert calls(look(lifted.bill, newer), after) == [("1", "block")]


def test_a_block_that_we_lifted_ourselves_is_simply_placed_again():
    wanted = orders(*HOLD)
    memory = remembered(look(bill(line(1, 100_00, **OURS)), wanted), BillMemory(), {})
    assert calls(look(bill(line(1, 100_00, lifted_by="ours")), wanted), memory) == [("1", "block")]


def judge(found, wanted, called=None, memory=None, before=None, claimed=()):
    outlook = look(found, wanted, claimed)
    return [judged(outlook, o, memory or BillMemory(), Tried(before or found, called or {})) for o in outlook.orders]


def test_what_can_only_be_paid_whole_waits_with_what_lacks_and_how_to_split_it():
    part = orders(command(1, [target(payable=60_00)]))
    (result,) = judge(bill(line(1, 119_00, **OURS), net=100_00, gross=119_00), part)
    assert result.state == "waiting"
    assert "71.40 EUR of 119.00 EUR may be paid" in result.detail
    assert "payment term with a retention line" in result.detail


JUDGEMENTS = [
    # name, line, wanted, how the call ended -> state, beginning of the detail
    (
        "a hold that came too late",
        line(1, 100_00, state="in_payment", **OURS, payment="payment 7 is approved"),
        HOLD,
        None,
        "rejected",
        "HELD_TOO_LATE",
    ),
    ("a hold on what was paid", line(1, 100_00, state="paid"), HOLD, None, "rejected", "HELD_TOO_LATE"),
    (
        "a hold on what was paid and carried over",
        line(1, 100_00, state="paid"),
        [command(1, [target()], carried=100_00)],
        None,
        "already_applied",
        "it was paid before",
    ),
    (
        "a release for what left before",
        line(1, 100_00, state="in_payment"),
        FREE,
        None,
        "rejected",
        "PAID_OUTSIDE_CONTROL",
    ),
    ("a release under another's block", line(1, 100_00, **THEIRS), FREE, None, "waiting", "somebody"),
    ("a hold under another's block", line(1, 100_00, **THEIRS), HOLD, None, "already_applied", "line 1"),
    ("a hold that was placed", line(1, 100_00, **OURS), HOLD, CallState.DONE, "applied", ""),
    ("a hold without an answer that is seen", line(1, 100_00, **OURS), HOLD, CallState.UNKNOWN, "applied", ""),
    ("a refused repeat that is as wanted", line(1, 100_00, **OURS), HOLD, CallState.REFUSED, "applied", ""),
    (
        "a hold without an answer that is not seen",
        line(1, 100_00),
        HOLD,
        CallState.UNKNOWN,
        "unknown",
        "finance did not",
    ),
    ("a hold that is refused", line(1, 100_00), HOLD, CallState.REFUSED, "waiting", "lines 1 are not yet"),
    ("a release of what was never blocked", line(1, 100_00), FREE, None, "already_applied", ""),
]


@pytest.mark.parametrize(
    ("found", "wanted", "ended", "state", "detail"), [row[1:] for row in JUDGEMENTS], ids=[row[0] for row in JUDGEMENTS]
)
def test_a_command_is_answered_by_what_finance_shows(found, wanted, ended, state, detail):
    called = {"1": Called(ended, "finance answers 400")} if ended else {}
    (result,) = judge(bill(found), orders(*wanted), called)
    assert (result.state, result.detail[: len(detail)]) == (state, detail)


def test_a_release_that_was_paid_after_it_is_as_wanted():
    (result,) = judge(bill(line(1, 100_00, state="paid"), state="paid"), orders(*FREE), memory=BillMemory(freed=["1"]))
    assert result.state == "already_applied"


def test_a_release_for_a_cancelled_invoice_is_rejected_for_good_and_a_hold_has_nothing_to_do():
    cancelled = bill(line(1, 100_00), state="cancelled")
    assert judge(cancelled, orders(*FREE))[0].state == "rejected"
    assert judge(cancelled, orders(*HOLD))[0].state == "already_applied"


def test_deleted_draft_payments_are_told():
    before = bill(line(1, 100_00, drafts=2))
    (result,) = judge(bill(line(1, 100_00, **OURS)), orders(*HOLD), {"1": Called(CallState.DONE)}, before=before)
    assert "2 draft payments of line 1 were deleted" in result.detail


def test_a_release_in_a_foreign_currency_waits():
    memory = orders(command(1, [target(payable=100_00, currency="USD")]))
    (result,) = judge(bill(line(1, 100_00, **OURS)), memory)
    assert (result.state, "USD" in result.detail) == ("waiting", True)


def test_a_release_behind_a_gap_waits_for_what_is_missing():
    wanted = orders(command(1, [target(payable=0)]), command(3, [target(payable=100_00)]))
    (result,) = judge(bill(line(1, 100_00, **OURS)), wanted)
    assert (result.state, "sequence 3 is missing" in result.detail) == ("waiting", True)

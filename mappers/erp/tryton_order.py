"""Purchase orders of Tryton: what was agreed, and what has come in.

The traps (all measured on Tryton 8.2): `purchase.line.actual_quantity` is not what was received, it is the larger of
moved and invoiced. `delivery_date` is the earliest date over all moves, so it jumps to the first partial receipt. Goods
that pass an input zone have two done moves, and only the one whose origin is the order line is a receipt. Neither the
order nor its line changes its write date when goods arrive, only the move does.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from contracts_schema.facts import GoodsReceived, Scheduled, ValueAgreed
from contracts_schema.money import Money
from mappers import values
from mappers.erp import tryton_values as read
from mappers.statements import Part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from mappers.erp.tryton_values import Thing

_NOTHING_AGREED = frozenset({"draft", "quotation", "cancelled"})
_AGREED = frozenset({"confirmed", "processing", "done"})


class _Count(NamedTuple):
    """The done moves of an order line, added up in its own unit."""

    received: Decimal
    returned: Decimal
    last_on: date | None
    by: str | None


def purchase(order: Thing, timezone: str, time: int) -> list[Part]:
    """What a `purchase.purchase` says, line by line; nothing where its lines were not read.

    Raises:
        ValueError: a state, amount, unit or date that cannot be understood.
    """
    return [
        part
        for line in read.many(order, "lines") or ()
        for part in _line(line, order, read.word(order, "state"), timezone, time)
    ]


def line(order_line: Thing, timezone: str, time: int) -> list[Part]:
    """What a `purchase.line` read on its own says.

    Raises:
        ValueError: as for `purchase`.
    """
    order = read.one(order_line, "purchase") or {}
    state = read.word(order_line, "purchase_state") or read.word(order, "state")
    return list(_line(order_line, order, state, timezone, time))


def keys_of_purchase(order: Thing) -> list[tuple[str, ...]]:
    """The address of each line of an order, so far as it can be read; of the order itself where no line can."""
    number = _number_keys(order)
    lines = [key for entry in read.many(order, "lines") or () for key in _line_keys(entry)]
    return [(key, *number) for key in lines] or [number]


def keys_of_line(order_line: Thing) -> list[tuple[str, ...]]:
    """The address of an order line, so far as it can be read."""
    return [(*_line_keys(order_line), *_number_keys(read.one(order_line, "purchase") or {}))]


def _line_keys(order_line: Thing) -> tuple[str, ...]:
    try:
        return (values.number_key("purchase.line", order_line.get("id")),)
    except ValueError:
        return ()


def _number_keys(order: Thing) -> tuple[str, ...]:
    try:
        return number_keys(order)
    except ValueError:
        return ()


def number_keys(order: Thing) -> tuple[str, ...]:
    """The key of the order's number; none while it has none.

    Raises:
        ValueError: the number is not fit for a key.
    """
    number = read.text(order, "number")
    return (values.key("purchase", number),) if number else ()


def _line(order_line: Thing, order: Thing, state: str | None, timezone: str, time: int) -> Iterator[Part]:
    if (read.word(order_line, "type") or "line") != "line" or order_line.get("quantity") is None:
        return  # a title, comment or subtotal
    own = values.number_key("purchase.line", order_line.get("id"))
    keys = (own, *number_keys(order))
    if order_line.get("amount") is not None:
        yield Part(keys, ValueAgreed(_agreed(order_line, order, state)))
    moves = read.many(order_line, "moves")
    if moves is None or not _comes_in(order_line):
        return  # moves that were not read are not "nothing received"
    yield Part(keys, _received(order_line, moves, values.day(time, timezone)))
    if any("planned_date" in move for move in moves):
        yield Part((own,), Scheduled(forecast=_expected(moves)))


def _agreed(order_line: Thing, order: Thing, state: str | None) -> Money:
    """What the line is worth while the order stands; a draft or a cancelled order agrees on nothing."""
    currency = values.currency((read.one(order, "currency") or read.one(order_line, "currency") or {}).get("code"))
    amount = values.vendor_amount(read.decimal(order_line["amount"]), currency)
    if state in _AGREED:
        return amount
    if state in _NOTHING_AGREED:
        return Money(0, currency)
    raise ValueError(f"the state {values.shown(state)} of a purchase is not known")


def _comes_in(order_line: Thing) -> bool:
    """Whether goods are to come in under this line: not for a service, and not where it sends goods back."""
    product = read.one(order_line, "product") or {}
    movable = order_line.get("movable")
    if (movable is not None and not read.flag(movable)) or product.get("type") == "service":
        return False
    return read.decimal(order_line["quantity"]) >= 0


def _received(order_line: Thing, moves: list[Thing], today: date) -> GoodsReceived:
    unit = _unit(order_line)
    count = _count(order_line, moves, unit)
    return GoodsReceived(
        ordered=values.quantity(read.decimal(order_line["quantity"])),
        received=values.quantity(count.received),
        accepted=values.quantity(max(count.received - count.returned, Decimal(0))),
        rejected=values.quantity(count.returned),
        short=None,
        unit=unit,
        received_on=count.last_on or today,
        by=count.by,
    )


def _count(order_line: Thing, moves: list[Thing], unit: str) -> _Count:
    received = returned = Decimal(0)
    last_on: date | None = None
    by: str | None = None
    for move in moves:
        if read.word(move, "state") != "done" or not _is_of(move, order_line):
            continue
        if _unit(move) != unit:
            own = values.shown(order_line.get("id"))
            raise ValueError(
                f"line {own}: a move counts in {_unit(move)!r} and the line in {unit!r}; nothing is converted"
            )
        on = read.day(move.get("effective_date"))
        if on is None:
            raise ValueError("a done move has no effective_date")
        if (read.one(move, "to_location") or {}).get("type") == "supplier":
            returned += read.decimal(move.get("quantity"))
        else:
            received += read.decimal(move.get("quantity"))
        if last_on is None or on >= last_on:
            last_on, by = on, _person(move)
    return _Count(received, returned, last_on, by)


def _is_of(move: Thing, order_line: Thing) -> bool:
    """Whether the order line is the move's origin; `lines.moves` has no others, a joined list may."""
    origin = move.get("origin")
    return origin is None or read.target(origin) == ("purchase.line", order_line["id"])


def _unit(thing: Thing) -> str:
    unit = read.one(thing, "unit") or read.one(thing, "uom")  # its name at a move before Tryton 7.0
    name = unit and (read.text(unit, "symbol") or read.text(unit, "name") or read.text(unit, "rec_name"))
    if not name:
        raise ValueError(f"the unit of {thing.get('__name__', 'a line')} was not read")
    return name


def _person(move: Thing) -> str | None:
    user = move.get("write_uid") or move.get("create_uid")
    number = user.get("id") if isinstance(user, dict) else user
    return str(number) if type(number) is int and 0 < number < 10**18 else None


def _expected(moves: list[Thing]) -> date | None:
    """The day on which the last of the goods still to come is planned to arrive."""
    open_moves = [move for move in moves if read.word(move, "state") not in {"done", "cancelled"}]
    planned = [on for move in open_moves if (on := read.day(move.get("planned_date"))) is not None]
    return max(planned, default=None)

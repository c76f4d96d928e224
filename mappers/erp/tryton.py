"""Dialect `tryton`: objects as Tryton 8 gives them over REST or JSON-RPC, to facts.

A record is one object, a list of them, or a JSON-RPC answer. Its model stands in `__name__`, or else in the record's
header `milepost-kind`. Facts are not numbered: their time is the latest write or create date over all that was read
into them (rule F8). What the collector has to ask for is `FIELDS`; what comes of it is told in MAPPINGS.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from contracts_schema.errors import Unreadable
from mappers import statements, strict_json, values
from mappers.erp import tryton_values as read
from mappers.erp.tryton_finance import keys_of_finance, payable, payment
from mappers.erp.tryton_invoice import invoice, keys_of_invoice
from mappers.erp.tryton_order import keys_of_line, keys_of_purchase, line, purchase
from mappers.erp.tryton_work import keys_of_work, work
from mappers.statements import Origin, Part

if TYPE_CHECKING:
    from contracts_schema.facts import Doubt, Fact
    from contracts_schema.records import Record, Source
    from mappers.erp.tryton_values import Thing

REVISION = 1

# The fields to read of each model; a model that is not here carries no fact.
FIELDS: dict[str, tuple[str, ...]] = {
    "purchase.purchase": (
        "number", "state", "write_date", "create_date", "currency.code", "lines.type", "lines.quantity",
        "lines.unit.symbol", "lines.amount", "lines.movable", "lines.write_date", "lines.create_date",
        "lines.moves.state", "lines.moves.origin", "lines.moves.quantity", "lines.moves.unit.symbol",
        "lines.moves.planned_date", "lines.moves.effective_date", "lines.moves.to_location.type",
        "lines.moves.write_uid", "lines.moves.write_date", "lines.moves.create_date",
    ),
    "account.invoice": (
        "type", "state", "reference", "invoice_date", "write_date", "create_date", "currency.code", "party.code",
        "party.identifiers.code", "party_tax_identifier.code", "untaxed_amount", "total_amount", "amount_to_pay",
        "lines.type", "lines.origin", "lines.amount", "lines.write_date", "lines.create_date", "purchases.number",
        "purchases.lines", "lines_to_pay.write_date", "lines_to_pay.create_date",
    ),
    "account.move.line": ("payment_blocked", "move_origin", "write_date", "create_date"),
    "account.payment": (
        "number", "kind", "state", "amount", "date", "currency.code", "line.move_origin", "write_date", "create_date",
    ),
    "project.work": ("progress", "status.progress", "write_date", "create_date"),
}  # fmt: skip


class _Model(NamedTuple):
    """How a model is read, and where it belongs.

    `whole`: time is over all that was read, not the object's own. `one_set`: its parts are one set (rule F9).
    """

    parts: Callable[[Thing, str, int], list[Part]]
    addresses: Callable[[Thing], list[tuple[str, ...]]]
    whole: bool = True
    one_set: bool = False


_MODELS = {
    "purchase.purchase": _Model(purchase, keys_of_purchase, one_set=True),
    "purchase.line": _Model(line, keys_of_line),
    "account.invoice": _Model(invoice, keys_of_invoice, one_set=True),
    "account.move.line": _Model(payable, keys_of_finance, whole=False),
    "account.payment": _Model(payment, keys_of_finance),
    "project.work": _Model(work, keys_of_work),
}
_model_name = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_-]+)*")
_billed_line = re.compile(rb'"purchase\.line,([0-9]{1,18})"')


def translate(record: Record, source: Source) -> tuple[Fact, ...]:
    """The facts of one record; none where it carries no milestone fact.

    Raises:
        Unreadable: with a doubt for every milestone address that could still be read in the record.
    """
    raw = record.value or b""
    try:
        things = _things(strict_json.parse(raw))
    except ValueError as error:
        raise Unreadable(f"Tryton: {error}", _salvaged(record, source)) from None
    try:
        return tuple(fact for thing in things for fact in _facts(thing, record, source))
    except ValueError as error:
        doubts = [doubt for thing in things for doubt in _doubts(thing, record, source)]
        raise Unreadable(f"Tryton: {error}", doubts) from None


def normalise_key(key: str) -> str:
    """A key of the crosswalk as this dialect writes it.

    Raises:
        ValueError: it is no key of this dialect.
    """
    kind, _, component = key.partition(":")
    if kind == "purchase":
        return values.key(kind, values.decode_component(component))
    if kind in {"purchase.line", "project.work", "account.invoice"}:
        return values.number_key(kind, component.strip())
    raise ValueError(
        f"{values.shown(key)} is none of purchase.line:<id>, project.work:<id>, purchase:<number>, account.invoice:<id>"
    )


def _things(value: Any) -> list[Thing]:
    """The objects in a record: one, a list of them, or the result of a JSON-RPC read."""
    if isinstance(value, dict) and "__name__" not in value:
        if value.get("error"):
            raise ValueError("it is a JSON-RPC answer with an error, not with objects; its id is no object's")
        value = value.get("result", value)
    things = value if isinstance(value, list) else [value]
    if not all(isinstance(thing, dict) for thing in things):
        raise ValueError("it is neither an object nor a list of objects")
    return things


def _facts(thing: Thing, record: Record, source: Source) -> tuple[Fact, ...]:
    name = _name(thing, record)
    model = _MODELS.get(name)
    deleted = read.flag(thing.get("deleted"))
    if model is None or (deleted and name != "project.work" and not model.one_set):
        return ()
    try:
        origin = _origin(name, thing, record, source)
        if deleted and model.one_set:
            return statements.empty(origin)  # nothing of it stands any more
        parts = model.parts(thing, source.timezone, origin.time)
        return statements.facts(origin, parts) if parts or _is_whole(name, thing) else ()
    except ValueError as error:
        raise ValueError(f"{name} {values.shown(thing.get('id'))}: {error}") from None


def _is_whole(name: str, thing: Thing) -> bool:
    """Whether an object that says nothing can be a version of a document of ours: a customer's invoice is none, and of
    an order whose lines were not read (only their numbers, or not at all) nobody knows."""
    return thing.get("type") != "out" and (name != "purchase.purchase" or read.many(thing, "lines") is not None)


def _name(thing: Thing, record: Record) -> str:
    """The model of an object; its own word, or else the record's."""
    name = thing.get("__name__") or record.header("milepost-kind")
    if not isinstance(name, str) or len(name) > 100 or not _model_name.fullmatch(name):
        raise ValueError("the model is told neither by __name__ nor by the header milepost-kind")
    return name


def _origin(name: str, thing: Thing, record: Record, source: Source) -> Origin:
    number = values.number_key(name, thing.get("id"))
    time = read.newest_time(thing) if _MODELS[name].whole else read.own_time(thing)
    if read.flag(thing.get("deleted")) or time is None:
        time = _seen_at(record)
    return Origin(source.name, number, time, REVISION, document=number if _MODELS[name].one_set else None)


def _seen_at(record: Record) -> int:
    """When the collector saw the object; failing that, when the record was written."""
    observed = record.header("milepost-observed-at")
    return record.timestamp * 1000 if observed is None else values.vendor_moment(observed, "UTC")


def _doubts(thing: Thing, record: Record, source: Source) -> tuple[Doubt, ...]:
    try:
        name = _name(thing, record)
    except ValueError:
        return ()
    if name not in _MODELS:
        return ()
    try:
        origin = _origin(name, thing, record, source)
    except ValueError:
        origin = Origin(source.name, name, record.timestamp * 1000, REVISION)
    addresses = [keys for keys in _MODELS[name].addresses(thing) if keys]
    return statements.doubts(origin, addresses, record.value or b"")


def _salvaged(record: Record, source: Source) -> tuple[Doubt, ...]:
    """Doubts about the order lines that a broken text still names as origins."""
    raw = record.value or b""
    numbers = dict.fromkeys(int(match[1]) for match in _billed_line.finditer(raw[: strict_json.BYTES_MAX]))
    addresses = [(f"purchase.line:{number}",) for number in numbers if number]
    return statements.doubts(Origin(source.name, "broken", record.timestamp * 1000, REVISION), addresses, raw)

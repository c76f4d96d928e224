"""Meaning that all dialects share: amounts, quantities, dates, moments, currencies, identifiers and keys.

Every function here takes what a vendor wrote and gives what it means, or raises ValueError with a sentence. None of
them guesses: what can be read in two ways is refused, and a number is read from its text, never through a float.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from contracts_schema.money import DECIMALS, Money, decimals, format_amount
from contracts_schema.records import is_identifier

_exact = Context(prec=60, rounding=ROUND_HALF_UP)
_epoch = datetime(1970, 1, 1, tzinfo=UTC)
_number = re.compile(r"[+-]?[0-9]{1,60}(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,3})?")
_zone = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_day = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}){_zone}")
_iso = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:[.,][0-9]{{1,9}})?)?{_zone}"
)
_ms_date = re.compile(r"/Date\((-?[0-9]{1,15})([+-][0-9]{4})?\)/")
_count = re.compile(r"[0-9]{1,18}")
_percent_sign = re.compile(r"%(25|2[fF])?")
_WHOLE_MAX = Decimal(10) ** 15  # what the wire format of money and quantities can hold
_QUANTITY_STEP = Decimal("0.000001")


class Rounded(NamedTuple):
    """An amount, and the sentence that must go with it where it had to be rounded."""

    money: Money
    note: str | None


def decimal(value: object) -> Decimal:
    """The exact number that a vendor wrote as text or as a JSON number.

    Raises:
        ValueError: no number, not finite, or with more than 15 digits before the point.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(f"{shown(value)} is no number")  # noqa: TRY004 -- one family for callers
    if isinstance(value, int) and not -_WHOLE_MAX < value < _WHOLE_MAX:
        raise ValueError("a number of more than 15 digits is too large")
    text = str(value).strip() if not isinstance(value, str) or len(value) <= 200 else ""
    if not _number.fullmatch(text):
        raise ValueError(f"{shown(value)} is no number")
    number = Decimal(text)
    if abs(number) >= _WHOLE_MAX:
        raise ValueError(f"{shown(value)} is too large")
    return number


def rounded_amount(value: object, currency: str) -> Rounded:
    """A vendor's amount, rounded half up to the currency's decimals, with a note where that changed it.

    Raises:
        ValueError: no number, too large, or an unknown currency.
    """
    digits = decimals(currency)
    number = decimal(value)
    minor = int(number.scaleb(digits, _exact).quantize(Decimal(1), context=_exact))
    if abs(minor) >= _WHOLE_MAX.scaleb(digits):
        raise ValueError(f"{shown(value)} is too large")
    money = Money(minor, currency)
    if Decimal(minor).scaleb(-digits) == number:
        return Rounded(money, None)
    return Rounded(money, f"{shown(value)} was rounded to {format_amount(minor, currency)} {currency}")


def vendor_amount(value: object, currency: str) -> Money:
    """The money of `rounded_amount`, for those who have no place for the note."""
    return rounded_amount(value, currency).money


def quantity(value: object) -> str:
    """A quantity in the wire's form: not negative, at most six decimals (half up), no idle zeros.

    Raises:
        ValueError: no number, negative, or too large.
    """
    number = decimal(value)
    if number < 0:
        raise ValueError(f"the quantity {shown(value)} is negative")
    rounded = number.quantize(_QUANTITY_STEP, context=_exact)
    if rounded >= _WHOLE_MAX:
        raise ValueError(f"{shown(value)} is too large")
    return plain(rounded)


def plain(number: Decimal) -> str:
    """A number as a decimal string without exponent or idle zeros."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"", "-0"} else text


def currency(text: object) -> str:
    """The ISO 4217 code that `text` is, spaces and lower case forgiven.

    Raises:
        ValueError: it is none.
    """
    code = text.strip().upper() if isinstance(text, str) else ""
    if code not in DECIMALS:
        raise ValueError(f"currency {shown(text)} is not an ISO 4217 code")
    return code


def identifier(text: object) -> str:
    """A number or name that identifies something: NFC, without spaces at its ends (rule C3).

    Raises:
        ValueError: empty, longer than 300 characters, or with invisible characters in it.
    """
    name = unicodedata.normalize("NFC", text).strip() if isinstance(text, str) and len(text) <= 1000 else ""
    if not is_identifier(name):
        raise ValueError(f"{shown(text)} is no identifier")
    return name


def encode_component(text: str) -> str:
    """One component of a key: `%` and `/` percent-encoded, so that a slash never parts what is one number."""
    return text.replace("%", "%25").replace("/", "%2F")


def decode_component(text: str) -> str:
    """The component that was encoded.

    Raises:
        ValueError: a `%` that is neither `%25` nor `%2F`.
    """

    def sign(match: re.Match[str]) -> str:
        if match[1] is None:
            raise ValueError(f"in {shown(text)} a % must be written %25, and a / inside a number %2F")
        return "%" if match[1] == "25" else "/"

    return _percent_sign.sub(sign, text)


def key(kind: str, component: str) -> str:
    """The key `kind:component` of the crosswalk, the component encoded.

    Raises:
        ValueError: the component is no identifier, or too long for a key.
    """
    text = f"{kind}:{encode_component(identifier(component))}"
    if not is_identifier(text):
        raise ValueError(f"{shown(component)} is too long for a key")
    return text


def number_key(kind: str, number: object) -> str:
    """The key `kind:number` of an object that a system counts; leading zeros mean nothing in such a number.

    Raises:
        ValueError: not a positive whole number of at most 18 digits.
    """
    if isinstance(number, str) and _count.fullmatch(number):
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 10**18:
        raise ValueError(f"{shown(number)} is no number of an object ({kind})")
    return f"{kind}:{number}"


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The time zone called `name` in the IANA database."""
    return ZoneInfo(name)


def vendor_date(value: object, timezone: str) -> date:
    """The day that a vendor wrote: `2026-12-14`, a date and time, or `/Date(ms)/`.

    A date is that date, whatever zone stands beside it. A time without a zone is a time in the source's own zone, so
    its date is the date: `T00:00:00` never becomes the day before through UTC. A time with a zone falls on a day in the
    source's zone. `/Date(ms)/` counts as if the source's wall clock were UTC; an offset in it leads to that clock.

    Raises:
        ValueError: it is no such date.
    """
    text = value.strip() if isinstance(value, str) else ""
    try:
        if match := _day.fullmatch(text):
            return date.fromisoformat(match[1])
        if match := _ms_date.fullmatch(text):
            return (_epoch + timedelta(milliseconds=int(match[1]), minutes=int(match[2] or 0))).date()
        if _iso.fullmatch(text):
            moment = datetime.fromisoformat(text)
            return moment.date() if moment.tzinfo is None else moment.astimezone(zone(timezone)).date()
    except (ValueError, OverflowError):
        pass  # such a day does not exist: told below
    raise ValueError(f"{shown(value)} is no date")


def vendor_moment(value: object, timezone: str) -> int:
    """The moment that a vendor wrote, in microseconds since 1970 (UTC); without a zone, in the source's own.

    Raises:
        ValueError: it is no date and time.
    """
    text = value.strip() if isinstance(value, str) else ""
    try:
        if match := _ms_date.fullmatch(text):
            return micros(_epoch + timedelta(milliseconds=int(match[1])))
        if _iso.fullmatch(text):
            moment = datetime.fromisoformat(text)
            return micros(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone(timezone)))
    except (ValueError, OverflowError):
        pass  # such a moment does not exist: told below
    raise ValueError(f"{shown(value)} is no date and time")


def micros(moment: datetime) -> int:
    """Microseconds since 1970 (UTC) of a moment that bears its zone, exactly."""
    since = moment - _epoch
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(time: int) -> datetime:
    """The moment, in UTC, that lies `time` microseconds after the beginning of 1970.

    Raises:
        ValueError: it lies outside the years 1 to 9999.
    """
    try:
        return _epoch + timedelta(microseconds=time)
    except OverflowError:
        raise ValueError(f"{time} microseconds since 1970 is no moment") from None


def day(time: int, timezone: str) -> date:
    """The day in a zone on which the moment `time` (microseconds since 1970, UTC) falls.

    Raises:
        ValueError: it lies outside the years 1 to 9999.
    """
    try:
        return moment(time).astimezone(zone(timezone)).date()
    except OverflowError:
        raise ValueError(f"{time} microseconds since 1970 is no moment") from None


def shown(value: object) -> str:
    """The value as a sentence may show it: cut to a readable length, the inside of an object left out."""
    if value is None:
        return "null"
    text = repr(value) if isinstance(value, str | float | Decimal | bool | int) else f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:77]}..."

"""Money: an integer of minor units with its ISO 4217 currency. Never a float, never rounded silently."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

# ISO 4217 (list one): the number of decimals that a currency's minor unit has; everything else has two.
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS = "CLF UYW"
_TWO_DECIMALS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP "
    "CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES "
    "KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK "
    "NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB "
    "TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
DECIMALS: dict[str, int] = {
    code: digits
    for digits, codes in ((0, _NO_DECIMALS), (2, _TWO_DECIMALS), (3, _THREE_DECIMALS), (4, _FOUR_DECIMALS))
    for code in codes.split()
}
_AMOUNT = {
    digits: re.compile(r"-?[0-9]{1,15}" + (rf"\.[0-9]{{{digits}}}" if digits else "")) for digits in (0, 2, 3, 4)
}


class Money(NamedTuple):
    """`minor` units of `currency`: EUR 71,100.00 is `Money(7110000, "EUR")`."""

    minor: int
    currency: str


def decimals(currency: str) -> int:
    """Digits after the point of an ISO 4217 currency.

    Raises:
        ValueError: the code is not one of ISO 4217's active currencies.
    """
    try:
        return DECIMALS[currency]
    except KeyError:
        raise ValueError(f"currency {currency!r:.40} is not an ISO 4217 code") from None


def parse_amount(text: object, currency: str) -> int:
    """Minor units of a decimal string with exactly the currency's number of decimals.

    Raises:
        ValueError: a number instead of a string, another number of decimals, or an unknown currency.
    """
    digits = decimals(currency)
    if not isinstance(text, str) or not _AMOUNT[digits].fullmatch(text):
        raise ValueError(f"amount {_shown(text)} is not a decimal string with {digits} decimals, as {currency} has")
    return int(text.replace(".", ""))


def format_amount(minor: int, currency: str) -> str:
    """The decimal string of `minor` units, with exactly the currency's number of decimals."""
    digits = DECIMALS[currency]
    if not digits:
        return str(minor)
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}.{rest:0{digits}d}"


def from_wire(value: Any) -> Money:
    """Money from its wire form `{"amount": "71100.00", "currency": "EUR"}`.

    Raises:
        ValueError: the shape, the amount or the currency is wrong.
    """
    if not isinstance(value, dict) or value.keys() != {"amount", "currency"}:
        raise ValueError(f'{_shown(value)} is not of the form {{"amount": "1.00", "currency": "EUR"}}')
    currency = value["currency"]
    if not isinstance(currency, str):
        raise ValueError(f"currency {_shown(currency)} is not an ISO 4217 code")  # noqa: TRY004 -- one family for callers
    return Money(parse_amount(value["amount"], currency), currency)


def to_wire(minor: int, currency: str) -> dict[str, str]:
    """The wire form of `minor` units."""
    return {"amount": format_amount(minor, currency), "currency": currency}


def _shown(value: object) -> str:
    """The value as a sentence may show it: short, and nothing of what lies inside an object."""
    return f"<{type(value).__name__}>" if isinstance(value, dict | list) else f"{value!r:.80}"

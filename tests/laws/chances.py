"""Chances that random plans and facts are made of, and amounts in any currency."""

from hypothesis import strategies as st

NAMES = ("M1", "M2", "M3")
few = st.sampled_from


def some(strategy):
    """The value, or nothing: fields that may be left out."""
    return st.one_of(st.none(), strategy)


def rarely(draw, once_in=10):
    """True about once in so many times."""
    return draw(few([False] * (once_in - 1) + [True]))


def half(amount):
    """About half of an amount, with as many decimals."""
    minor = int(amount.replace(".", "")) // 2
    digits = len(amount.partition(".")[2])
    return f"{minor // 10**digits}.{minor % 10**digits:0{digits}d}" if digits else str(minor)


def money(minor, currency):
    """Minor units as the currency writes them; plans of all currencies have the same minor units."""
    digits = {"JPY": 0, "KWD": 3}.get(currency, 2)
    whole, rest = divmod(abs(minor), 10**digits)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole}.{rest:0{digits}d}" if digits else f"{sign}{whole}"

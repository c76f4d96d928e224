"""Days and moments as the log keeps them."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from judging.msgpack import EPOCH


def day_of(moment, zone):
    """The day of a moment (µs) in a zone."""
    return (EPOCH + timedelta(microseconds=moment)).astimezone(ZoneInfo(zone)).date()


def day(value):
    """A day as the log keeps it: a text."""
    return value if isinstance(value, date) or value is None else date.fromisoformat(value)


def micros(moment):
    """Microseconds since 1970 of a moment as the log keeps it."""
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return (moment - EPOCH) // timedelta(microseconds=1)

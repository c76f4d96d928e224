from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_schema.money import DECIMALS, Money, format_amount
from mappers import values


def test_a_vendors_float_dust_is_rounded_half_up_with_a_note():
    assert values.rounded_amount("489.37500000000006", "EUR") == values.Rounded(
        Money(48938, "EUR"), "'489.37500000000006' was rounded to 489.38 EUR"
    )


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("118500.0000", "EUR", 11850000),
        (118500.0, "EUR", 11850000),
        (2, "EUR", 200),
        ("-30000", "USD", -3000000),
        ("1.005", "EUR", 101),
        ("-1.005", "EUR", -101),
        ("0.1", "BHD", 100),
        ("10.5", "JPY", 11),
        ("1e3", "JPY", 1000),
    ],
)
def test_an_amount_is_read_from_its_text(text, currency, minor):
    assert values.vendor_amount(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "text",
    ["", "nan", "Infinity", "1,5", "1_000", "0x1", True, None, [], "9" * 16, "999999999999999.999", 10**40, 1e300],
)
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError):
        values.vendor_amount(text, "EUR")


def test_an_amount_in_an_unknown_currency_is_refused():
    with pytest.raises(ValueError, match="ISO 4217"):
        values.vendor_amount("1.00", "XYZ")


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.sampled_from(sorted(DECIMALS)))
def test_an_exact_amount_is_never_changed(minor, currency):
    text = format_amount(minor, currency)
    assert values.rounded_amount(text, currency) == values.Rounded(Money(minor, currency), None)


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.0, "2"), (0.30000000000000004, "0.3"), ("100", "100"), ("1e2", "100"), (0, "0"), ("0.0000004", "0")],
)
def test_a_quantity_is_plain(value, text):
    assert values.quantity(value) == text


@pytest.mark.parametrize("value", [-1, "-0.5", "many", None, "999999999999999.9999999"])
def test_what_is_no_quantity_is_refused(value):
    with pytest.raises(ValueError):
        values.quantity(value)


def test_a_plain_number_has_no_exponent_and_no_idle_zeros():
    assert [values.plain(Decimal(text)) for text in ("1E+3", "-0.00", "2.50", "10")] == ["1000", "0", "2.5", "10"]


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2026-12-14", date(2026, 12, 14)),
        ("2026-12-14+09:00", date(2026, 12, 14)),
        ("2026-12-14T00:00:00", date(2026, 12, 14)),
        ("2026-12-14 23:59:59.999", date(2026, 12, 14)),
        ("2026-12-14T23:30:00Z", date(2026, 12, 15)),
        ("2026-12-14T00:30:00+09:00", date(2026, 12, 13)),
    ],
)
def test_a_date_without_a_zone_stays_that_date(value, day):
    assert values.vendor_date(value, "Europe/Berlin") == day


def test_milliseconds_and_iso_for_the_same_field_are_the_same_date():
    midnight = int(datetime(2026, 12, 14, tzinfo=UTC).timestamp()) * 1000
    for timezone in ("Europe/Berlin", "America/Los_Angeles", "Pacific/Kiritimati"):
        assert values.vendor_date(f"/Date({midnight})/", timezone) == date(2026, 12, 14)
        assert values.vendor_date("2026-12-14T00:00:00", timezone) == date(2026, 12, 14)
    assert values.vendor_date(f"/Date({midnight - 3_600_000}+0060)/", "UTC") == date(2026, 12, 14)


@pytest.mark.parametrize(
    "value", ["", "14.12.2026", "2026-13-01", "2026-W50-1", "20261214", "0000-01-01", 20261214, None]
)
def test_what_is_no_date_is_refused(value):
    with pytest.raises(ValueError, match="is no date"):
        values.vendor_date(value, "UTC")


def test_a_moment_without_a_zone_is_read_in_the_sources_zone():
    moment = datetime(2026, 12, 13, 23, 0, tzinfo=UTC)
    assert values.vendor_moment("2026-12-14T00:00:00", "Europe/Berlin") == values.micros(moment)
    assert values.vendor_moment("2026-12-13T23:00:00.000Z", "Europe/Berlin") == values.micros(moment)
    assert values.vendor_moment("/Date(1797202800000)/", "Europe/Berlin") == values.micros(moment)


def test_a_moment_has_a_day_in_a_zone():
    time = values.micros(datetime(2026, 12, 13, 23, 30, tzinfo=UTC))
    assert values.day(time, "Europe/Berlin") == date(2026, 12, 14)
    assert values.moment(time) == datetime(2026, 12, 13, 23, 30, tzinfo=UTC)
    with pytest.raises(ValueError):
        values.day(10**20, "UTC")


@given(st.text() | st.binary() | st.none() | st.integers() | st.floats() | st.lists(st.integers()))
def test_anything_gives_a_value_or_a_sentence(value):
    for read in (
        values.identifier,
        values.currency,
        values.quantity,
        lambda it: values.vendor_amount(it, "EUR"),
        lambda it: values.vendor_date(it, "Europe/Berlin"),
        lambda it: values.vendor_moment(it, "Europe/Berlin"),
    ):
        try:
            read(value)
        except ValueError as error:
            assert len(str(error)) < 200  # noqa: PT017 -- both outcomes are right, and one is looked at


def test_an_identifier_is_composed_and_trimmed():
    assert values.identifier("  Mu\u0308ller 7 ") == "M\u00fcller 7"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "a\x00b",
        "a" * 301,
        7,
        None,
        *(f"a{c}b" for c in "\xad\u034f\u061c\u115f\u200b\u200e\u202e\u2066\u3164\ufe0f\ufeff\uffa0"),
    ],
)
def test_what_is_no_identifier_is_refused(text):
    with pytest.raises(ValueError, match="is no identifier"):
        values.identifier(text)


@given(st.text())
def test_a_component_is_encoded_and_decoded(text):
    encoded = values.encode_component(text)
    assert "/" not in encoded
    assert values.decode_component(encoded) == text


def test_a_percent_sign_that_encodes_nothing_is_refused():
    assert values.decode_component("PO%2f7%25") == "PO/7%"
    with pytest.raises(ValueError, match="%25"):
        values.decode_component("50%")


def test_a_currency_is_forgiven_its_case():
    assert values.currency(" eur ") == "EUR"
    with pytest.raises(ValueError, match="ISO 4217"):
        values.currency("EURO")


# Where a rule begins and ends


def test_a_text_is_read_up_to_its_bound_and_not_one_character_further():
    assert values.decimal(" " * 199 + "1") == 1
    assert values.identifier(" " * 999 + "x") == "x"
    for read, text in ((values.decimal, " " * 200 + "1"), (values.identifier, " " * 1000 + "x")):
        with pytest.raises(ValueError):
            read(text)


@pytest.mark.parametrize("number", [10**15 - 1, "999999999999999", -(10**15) + 1])
def test_a_number_has_fifteen_digits_before_its_point_at_most(number):
    assert values.decimal(number) == int(number)
    one_more = int(number) + (1 if int(number) > 0 else -1)
    for refused in (one_more, str(one_more)):
        with pytest.raises(ValueError, match="too large"):
            values.decimal(refused)


def test_what_is_no_text_and_no_number_of_json_is_no_number_even_if_it_looks_like_one():
    with pytest.raises(ValueError, match="no number"):
        values.decimal(Fraction(3))


@pytest.mark.parametrize("number", ["0", "000", 0, -1, True, 10**18, "1" * 19, "x", "", None, 1.0])
def test_an_object_is_counted_from_one_to_eighteen_digits(number):
    assert values.number_key("issue", "0017") == values.number_key("issue", 17) == "issue:17"
    assert values.number_key("issue", "1" * 18) == "issue:" + "1" * 18
    with pytest.raises(ValueError, match="issue"):
        values.number_key("issue", number)


def test_no_digit_is_lost_or_left_over_where_a_number_is_nothing():
    assert [values.plain(Decimal(text)) for text in ("0", "-0.0", "0.00", "100", "1E+2")] == [
        "0",
        "0",
        "0",
        "100",
        "100",
    ]


def test_the_last_millisecond_of_a_day_belongs_to_it():
    assert values.vendor_date("/Date(86399999)/", "UTC") == date(1970, 1, 1)


def test_eighty_characters_are_shown_whole():
    assert values.shown("x" * 78) == repr("x" * 78)
    assert values.shown("x" * 79) == "'" + "x" * 76 + "..."

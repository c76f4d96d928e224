"""CloudEvents as other people's libraries and bridges write them."""

import json
from base64 import b64encode
from gzip import compress

import pytest

from contracts_schema.errors import Unreadable
from contracts_schema.records import Record, Source
from mappers.translate import Translator

ERP = Source("erp", "milepost", "erp", "erp.events")
PM = Source("pm", "redmine", "project", "project.events")  # a vendor's source takes events beside its own dialect
DATA = {"contract": "C-1", "milestone": "M1", "status": "met"}
EVENT = {"specversion": "1.0", "id": "e-1", "source": "/erp", "type": "milepost.milestone.assessed.v1",
         "time": "2026-03-01T08:00:00Z", "data": DATA}  # fmt: skip
EIGHT = 1_772_352_000_000_000
JSON = ("content-type", "application/cloudevents+json")
BINARY = [(f"ce_{name}", EVENT[name]) for name in ("specversion", "id", "source", "type", "time")]
translator = Translator({"erp": ERP, "pm": PM})


def fact(value, *headers, source=PM):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    told = tuple((name, text.encode()) for name, text in headers)
    (found,) = translator.translate(Record(source.topic, 0, 0, 1_772_409_600_000, None, told, raw), source)
    return found


def refused(value, *headers, source=PM):
    with pytest.raises(Unreadable) as caught:
        fact(value, *headers, source=source)
    return caught.value


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        JSON,
        ("content-type", "application/cloudevents+json; charset=UTF-8"),
        ("Content-Type", "Application/CloudEvents+JSON"),
    ],
)
def test_a_media_type_is_read_without_its_case_and_parameters(name, stated):
    assert fact(EVENT, (name, stated)).time == EIGHT
    assert fact(EVENT, (name, stated), source=ERP).time == EIGHT


def test_an_event_that_nothing_announces_is_told_what_it_lacks():
    assert refused(EVENT).sentence.endswith("its header content-type must say application/cloudevents+json")


@pytest.mark.parametrize("spelt", [str.lower, str.upper, str.title])
def test_headers_are_read_in_any_case_as_bridges_write_them(spelt):
    headers = [(spelt(name), text) for name, text in BINARY]
    assert fact(DATA, *headers, ("content-type", "application/json")) == fact(EVENT, JSON)


def test_extensions_and_what_describes_the_data_are_passed_over():
    more = {"traceparent": "00-1", "dataschema": "urn:x", "datacontenttype": "application/json", "subject": "C-1/M1"}
    assert fact(EVENT | more, JSON) == fact(EVENT, JSON)


def test_data_may_be_base64_but_not_both():
    packed = {name: text for name, text in EVENT.items() if name != "data"}
    packed["data_base64"] = b64encode(json.dumps(DATA).encode()).decode()
    assert fact(packed, JSON) == fact(EVENT, JSON)
    error = refused(packed | {"data": DATA}, JSON)
    assert "both data and data_base64" in error.sentence
    assert [doubt.address.contract for doubt in error.doubts] == ["C-1"]
    assert "no base64" in refused(packed | {"data_base64": "{"}, JSON).sentence


@pytest.mark.parametrize("headers", [[("content-type", "application/cloudevents-batch+json")], [JSON]])
def test_a_batch_is_refused_and_puts_each_of_its_milestones_in_doubt(headers):
    other = EVENT | {"id": "e-2", "data": DATA | {"milestone": "M2"}}
    error = refused([EVENT, other], *headers)
    assert "batch of 2" in error.sentence
    assert [(doubt.id, doubt.address.milestone) for doubt in error.doubts] == [("e-1", "M1"), ("e-2", "M2")]


def test_another_format_is_named():
    assert "'application/cloudevents+avro' is not read" in refused(b"", (JSON[0], f"{JSON[1][:-4]}avro")).sentence


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("2026-03-01T08:00:00z", EIGHT),
        ("2026-03-01t09:30:00+01:30", EIGHT),
        ("2026-03-01T08:00:00.123456789Z", EIGHT + 123_456),
    ],
)
def test_a_time_is_any_of_rfc_3339(written, micros):
    assert fact(EVENT | {"time": written}, JSON).time == micros


@pytest.mark.parametrize("written", ["2026-03-01T08:00:00", "2026-03-01", "1772352000", "", 1772352000])
def test_a_time_without_its_zone_is_none(written):
    assert "RFC 3339" in refused(EVENT | {"time": written}, JSON).sentence


@pytest.mark.parametrize("version", ["0.3", "1", 1.0, None])
def test_another_version_of_the_specification_is_not_guessed_at(version):
    error = refused(EVENT | {"specversion": version}, JSON)
    assert "is not 1.0" in error.sentence
    assert [doubt.address.milestone for doubt in error.doubts] == ["M1"]


def test_a_byte_order_mark_says_nothing_and_a_compressed_or_empty_value_is_told():
    assert fact(b"\xef\xbb\xbf" + json.dumps(EVENT).encode(), JSON) == fact(EVENT, JSON)
    assert "gzip" in refused(compress(json.dumps(EVENT).encode()), JSON).sentence
    assert "it is empty" in refused(b"", JSON).sentence


def test_a_number_where_a_text_belongs_is_told():
    receipt = {"contract": "C-1", "received": 1.5, "accepted": "1", "rejected": "0", "unit": "u"}
    receipt["received_on"] = "2026-03-01"
    error = refused(EVENT | {"type": "milepost.goods.received.v1", "data": receipt}, JSON)
    assert "received 1.5: is no text in quotes" in error.sentence

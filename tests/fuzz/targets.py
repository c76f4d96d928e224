"""What is fuzzed. A target takes any bytes and raises AssertionError where our word is not kept: facts or a sentence
(webhooks: taken or refused), within a bound of time and memory, and what comes of it can be written and read again.

The bytes of a record may begin with headers, as `name: value` lines before an empty line. The bytes of `values` are a
function's name and its words; those of `webhook` are headers and the body.
"""

import asyncio
import base64
import hmac
import json
import re
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from connectors.webhooks import BODY_BYTES, Hook, receiver
from contracts_schema.commands import Command
from contracts_schema.errors import MessageError
from contracts_schema.facts import Fact
from contracts_schema.money import DECIMALS, from_wire, to_wire
from contracts_schema.plan import Plan, decode_plan, encode_plan
from contracts_schema.records import Record, Source, is_identifier
from mappers import strict_json, values
from mappers.finance import tryton as tryton_finance
from services.gate.fence import accept, identity, read_command
from services.gate.memory import ContractMemory, contract_memory, encode_memory
from services.reconciliation.policy import Policy, make_rules
from services.runtime.outgoing import command_row, quarantine_row
from services.runtime.reading import Reader
from services.wiring.documents import _read_file
from services.wiring.house import House

Target = Callable[[bytes], None]
TIMESTAMP = 1_795_996_800_000  # 2026-11-30T00:00:00Z
TOPIC = "all.events"
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
HEAD = re.compile(rb"(?:[!-9;-~]{1,200}+:[^\n]*+\n)++\n")


def spoken(*sources: Source) -> Target:
    """A target: records of these sources, through the doorway of the hallway."""
    reader = Reader({s.name: s for s in sources}, make_rules({s.name: s.role for s in sources}, {}, Policy()), "fuzz")
    alone = len(sources) == 1

    def run(data: bytes) -> None:
        headers, value = parted(data)
        if not alone and not any(name == "milepost-source" for name, _ in headers):
            headers = (*headers, ("milepost-source", sources[0].name.encode()))
        record = Record(TOPIC, 0, 0, TIMESTAMP, None, headers, value)
        reading = reader.read(record)
        if reading.set_aside is not None:
            assert "defect" not in reading.set_aside.sentence, reading.set_aside.sentence
            assert 10 < len(reading.set_aside.sentence) < 20_000
            assert quarantine_row(reading.set_aside, "milepost.quarantine").value
        check_facts(reading.facts)
        assert reader.read(record) == reading

    return run


def check_facts(facts: tuple[Fact, ...]) -> None:
    """Facts that the store can keep and another system can be told."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=tuple[Fact, ...]) == facts
    assert not NUL.search(msgspec.json.encode(facts))  # Postgres keeps none in a text
    for fact in facts:
        assert all(map(is_identifier, fact.address.keys))


def says_something(error: Exception) -> None:
    assert str(error), f"{type(error).__name__} without a sentence"


def parted(data: bytes) -> tuple[tuple[tuple[str, bytes], ...], bytes]:
    """Headers and value of a record written as a file."""
    match = HEAD.match(data)
    lines = match[0].splitlines() if match else []
    headers = tuple((n.decode("latin-1"), v.removeprefix(b" ")) for n, _, v in (x.partition(b":") for x in lines if x))
    return headers, data[match.end() :] if match else data


def codec(data: bytes) -> None:
    """What we read as JSON is what everybody reads, and is the same after it was written again."""
    try:
        value = strict_json.parse(data)
    except ValueError as error:
        says_something(error)
        return
    assert value == json.loads(data)
    written = msgspec.json.encode(value)
    assert strict_json.parse(written, bytes_max=10 * strict_json.BYTES_MAX) == value
    try:
        money = from_wire(value)
    except ValueError:
        return
    assert Decimal(to_wire(*money)["amount"]) == Decimal(value["amount"])
    assert from_wire(to_wire(*money)) == money


def command(data: bytes) -> None:
    """A command that is believed has the content that its id stands for, and can be kept."""
    headers, value = parted(data)
    told = dict(headers)
    record = Record("finance.commands", 0, 0, TIMESTAMP, told.get("key"), headers, value)
    try:
        read = read_command(record)
    except MessageError as error:
        says_something(error)
        return
    assert identity(read) == read.command_id
    assert msgspec.json.decode(command_row(read, "t").value or b"", type=Command) == read
    memory = ContractMemory()
    accept(memory, read, ours=True)
    assert contract_memory(encode_memory(memory)) == memory


def registration(data: bytes) -> None:
    """A file is documents with plans, or faults; never both, never neither."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return  # told before anything looks into it
    reading = _read_file(Path("contract.yaml"), text, HOUSE)
    assert bool(reading.documents) != bool(reading.faults) or (reading.documents and reading.faults)
    assert all(fault.startswith("contract.yaml") for fault in reading.faults)
    for document in reading.documents:
        plan: Plan = document.plan
        assert decode_plan(encode_plan(plan)) == plan
        assert msgspec.json.encode(document.content)


def bill(data: bytes) -> None:
    """What finance shows is invoices, or one family of errors."""
    try:
        found = strict_json.parse(data)
        documents, log = found["documents"], found["log"]
        assert isinstance(documents, list)
    except (ValueError, TypeError, KeyError, AssertionError):
        return
    if not all(isinstance(one, dict) for one in [*documents, *(log if isinstance(log, list) else [0])]):
        return
    try:
        presses = tryton_finance.last_presses(log)
        tryton_finance.line_numbers(documents)
        bills = [tryton_finance.bill(document, presses, "7") for document in documents]
    except ValueError as error:
        says_something(error)
        return
    assert msgspec.json.encode(bills)


def webhook(data: bytes) -> None:
    """A delivery is taken when it is signed as it should be, and then untouched; else it is refused, and counted."""
    headers, body = parted(data)
    sent = [(name.lower().encode("latin-1"), value) for name, value in headers]
    published, outcomes = LOOP.run_until_complete(delivered(sent, body))
    given = [value for name, value in sent if name == b"x-signature"]
    right = base64.b64encode(hmac.digest(b"secret", body, "sha256"))
    signed = len(given) == 1 and given[0].removeprefix(b"v1=").strip() == right and given[0].startswith(b"v1=")
    assert len(outcomes) == 1
    assert not published or (signed and 0 < len(body) <= BODY_BYTES)
    for row in published:
        assert row.value == body
        assert sum(len(value) for _, value in row.headers) < 2000
    plain = not any(name in (b"content-encoding", b"content-length") for name, _ in sent)
    assert published or not (signed and plain and 0 < len(body) <= BODY_BYTES)


async def delivered(headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[list, list]:
    """What a delivery led to: the rows that were published, and what was counted."""
    published, outcomes, status = [], [], []

    async def publish(rows):
        published.extend(rows)

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        status.extend([message["status"]] if "status" in message else [])

    scope = {"type": "http", "method": "POST", "path": "/hook", "raw_path": b"/hook", "query_string": b"",
             "headers": headers, "http_version": "1.1", "scheme": "http", "root_path": ""}  # fmt: skip
    app = receiver([HOOK], publish, lambda *outcome: outcomes.append(outcome))
    await app(scope, receive, send)
    assert (status == [202]) == bool(published)
    assert status[0] < 500
    return published, outcomes


def written_value(data: bytes) -> None:
    """Amounts and dates: what a vendor wrote means one thing, near to it, or is refused."""
    name, _, text = data.decode("utf-8", "replace").partition(" ")
    check = VALUES.get(name)
    if check is None:
        return
    for value in [text, *as_json(text)]:
        try:
            check(value)
        except ValueError as error:
            says_something(error)


def as_json(text: str) -> list[object]:
    try:
        return [strict_json.parse(text.encode())]
    except ValueError:
        return []


def amount(value: object) -> None:
    for code in ("JPY", "EUR", "TND", "CLF"):
        money, note = values.rounded_amount(value, code)
        exact = Decimal(str(value).strip())
        step = Decimal(1).scaleb(-DECIMALS[code])
        assert abs(Decimal(money.minor).scaleb(-DECIMALS[code]) - exact) <= step / 2
        assert (note is None) == (Decimal(money.minor).scaleb(-DECIMALS[code]) == exact)
        assert from_wire(to_wire(*money)) == money


def counted(value: object) -> None:
    text = values.quantity(value)
    assert re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,6})?", text)
    assert abs(Decimal(text) - Decimal(str(value).strip())) <= Decimal("0.0000005")


def moment(value: object) -> None:
    time = values.vendor_moment(value, "Europe/Berlin")
    assert values.micros(values.moment(time)) == time
    values.day(time, "America/New_York")


def key(value: object) -> None:
    text = values.key("order", value if isinstance(value, str) else "")
    assert is_identifier(text)
    assert values.key("order", values.decode_component(text.removeprefix("order:"))) == text


VALUES: dict[str, Callable[[object], object]] = {
    "amount": amount,
    "quantity": counted,
    "date": lambda value: values.vendor_date(value, "Europe/Berlin").isoformat(),
    "moment": moment,
    "currency": lambda value: DECIMALS[values.currency(value)],
    "identifier": lambda value: values.identifier(values.identifier(value)).encode(),
    "key": key,
    "number": lambda value: values.number_key("issue", value).encode(),
}
LOOP = asyncio.new_event_loop()
_secret = Path(tempfile.mkdtemp(prefix="milepost-fuzz-")) / "secret"
_secret.write_bytes(b"secret")
HOOK = Hook("pm", "project.events", "/hook", _secret, "X-Signature", "sha256-base64", "v1=", delivery_header="X-Id")
HOUSE = House(None)
_pm = Source("pm", "redmine", "project", TOPIC, "Europe/Berlin", frozenset({"Closed"}), frozenset({"New"}))
_office, _register, _ap = (Source(n, "milepost", r, TOPIC) for n, r in (
    ("office", "operator"), ("register", "register"), ("ap", "finance")))  # fmt: skip

TARGETS: dict[str, Target] = {
    "milepost": spoken(_office, _register, _ap, _pm),
    "tryton": spoken(Source("erp", "tryton", "erp", TOPIC, "Europe/Berlin")),
    "redmine": spoken(_pm),
    "ubl": spoken(Source("portal", "ubl", "supplier_portal", TOPIC)),
    "codec": codec,
    "command": command,
    "registration": registration,
    "bill": bill,
    "webhook": webhook,
    "values": written_value,
}

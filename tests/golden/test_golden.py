"""Real messages, scrubbed, beside what their dialect's mapper must make of them.

`<dialect>/<name>.json` is a record: `value` (JSON), `text` or `file` (a file beside it), with `headers`, `timestamp`
(milliseconds) and `source` where they differ from the defaults. `<name>.facts.json` is what comes of it.
`MILEPOST_UPDATE_GOLDEN=1` rewrites the latter; the difference is there to be reviewed.
"""

import importlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from contracts_schema.errors import MessageError, Unreadable
from contracts_schema.facts import MONEY_FIELDS, Fact
from contracts_schema.money import Money, to_wire
from contracts_schema.plan import decode_plan
from contracts_schema.records import Record, Source
from mappers.translate import Translator

HERE = Path(__file__).parent
MAPPERS = HERE.parents[1] / "mappers"
ROLES = {"erp": "erp", "project": "project", "supplier_portal": "supplier_portal", "finance": "finance"}
TIMESTAMP = 1_795_996_800_000  # 2026-11-30T00:00:00Z
CASES = sorted(
    path.relative_to(HERE).with_suffix("").as_posix()
    for path in HERE.glob("*/*.json")
    if not path.name.endswith(".facts.json")
)


@pytest.mark.parametrize("case", CASES)
def test_a_real_message_gives_the_facts_beside_it(case):
    told = json.dumps(outcome(case), indent=1, ensure_ascii=False) + "\n"
    expected = HERE / f"{case}.facts.json"
    if os.environ.get("MILEPOST_UPDATE_GOLDEN"):
        expected.write_text(told)
    assert told == expected.read_text()


@pytest.mark.parametrize("case", CASES)
def test_the_same_bytes_have_the_same_ids(case):
    assert outcome(case) == outcome(case)


@pytest.mark.parametrize("case", CASES)
def test_no_name_and_no_mail_of_a_person_is_kept(case):
    text = (HERE / f"{case}.json").read_text()
    for word in ("mail", "login", "firstname", "lastname", "avatar", "Admin"):
        assert f'"{word}"' not in text
    assert "@example" not in text


def outcome(case):
    """What the mapper makes of one record, as plain values."""
    dialect = case.partition("/")[0]
    envelope = json.loads((HERE / f"{case}.json").read_text())
    module, role = mapper(dialect)
    source = msgspec.convert({"name": dialect, "dialect": dialect, "role": role, "topic": f"{role}.events",
                              "timezone": "Europe/Berlin"} | envelope.get("source", {}), Source)  # fmt: skip
    try:
        facts = module.translate(record(case, envelope, source), source)
    except Unreadable as error:
        return {"unreadable": error.sentence, "doubts": [shown(doubt) for doubt in error.doubts]}
    except MessageError as error:
        return {error.fault: error.sentence}
    return {"facts": [shown(checked(fact)) for fact in facts]}


def mapper(dialect):
    """The module of a dialect and the role that its folder gives it."""
    if dialect == "milepost":
        return SimpleNamespace(translate=canonical), "operator"
    (path,) = [
        p for p in MAPPERS.glob(f"*/{dialect}.py") if p.parent.name != "finance"
    ]  # that one writes to the vendor
    return importlib.import_module(f"mappers.{path.parent.name}.{dialect}"), ROLES[path.parent.name]


def canonical(record, source):
    """Our own language; keys of a Redmine are written as its mapper writes them."""
    pm = Source("pm", "redmine", "project", "project.events")
    return Translator({source.name: source, "pm": pm}).translate(record, source)


def record(case, envelope, source):
    if "file" in envelope:
        value = (HERE / case).parent.joinpath(envelope["file"]).read_bytes()
    elif "text" in envelope:
        value = envelope["text"].encode()
    else:
        value = json.dumps(envelope["value"], ensure_ascii=False).encode()
    headers = tuple((name, text.encode()) for name, text in envelope.get("headers", {}).items())
    return Record(source.topic, 0, 0, envelope.get("timestamp", TIMESTAMP), None, headers, value)


def checked(fact):
    """The fact after a way to the store and back, which also proves that each field keeps to its type."""
    assert msgspec.json.decode(msgspec.json.encode(fact), type=Fact) == fact
    return fact


def shown(statement):
    """A fact or a doubt as people read it: its address, its moment, and money in its wire form."""
    told = {"id": statement.id, **place(statement.address), "time": moment(statement.time)}
    if not isinstance(statement, Fact):
        return told | ({"scope": statement.scope} if statement.scope else {})
    for name in ("version", "document"):
        if getattr(statement, name) is not None:
            told[name] = getattr(statement, name)
    body = msgspec.to_builtins(statement.body)
    if statement.kind == "contract.registered":
        body["plan"] = msgspec.to_builtins(decode_plan(statement.body.plan))
    for name in MONEY_FIELDS.get(statement.kind, ()):
        if isinstance(money := getattr(statement.body, name), Money):
            body[name] = to_wire(*money)
    return told | body


def place(address):
    """Our own ids, or the keys of the source; whose keys only where they are another source's."""
    if address.contract is not None:
        return {"contract": address.contract} | ({"milestone": address.milestone} if address.milestone else {})
    return {"keys": list(address.keys)} | ({"of": address.source} if address.source == "pm" else {})


def moment(time):
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).isoformat().replace("+00:00", "Z")

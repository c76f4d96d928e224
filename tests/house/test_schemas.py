"""What is published about the wire is what the types say, and no published word is broken."""

import copy
import json
import subprocess
from pathlib import Path

import jsonschema
import msgspec
import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema

from contracts_schema import commands as c
from contracts_schema.asyncapi import CHANNELS, document
from contracts_schema.schemas import breaks, encode_schema, fact_kinds, is_outgoing, schemas
from services.wiring.setup import schema_differences, schema_folder

MADE = schemas()
FOLDER = schema_folder()
MONEY = {"amount": "1.00", "currency": "EUR"}
EVENTS = {
    "invoice.received": {
        "contract": "C-1", "milestone": "M1", "number": "R-1", "supplier": "S", "net": MONEY, "total": None,
        "issued_on": "2026-03-01", "state": "open",
    },
    "milestone.assessed": {"ref": {"source": "pm", "key": "issue:1"}, "version": 3, "status": None},
    "goods.received": {
        "contract": "C-1", "received": "1", "accepted": "1", "rejected": "0", "unit": "EA", "received_on": "2026-03-01",
    },
    "sign_off.given": {
        "contract": "C-1", "milestone": "M1", "by": "jane", "role": "qa", "signed_at": "2026-03-01T08:00:00Z",
        "evidence": {"fat": "ab"},
    },
}  # fmt: skip


def test_published_schemas_are_what_the_types_say():
    assert schema_differences(FOLDER) == [], "run `milepost schemas`, and look at the difference"


@pytest.mark.parametrize("name", MADE)
def test_a_schema_is_one_and_holds_whatever_it_refers_to(name):
    schema = MADE[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    referred = {part.partition('"')[0] for part in encode_schema(schema).decode().split('"#/$defs/')[1:]}
    assert referred <= schema.get("$defs", {}).keys()
    assert encode_schema(schema) == encode_schema(schemas()[name])


@pytest.mark.parametrize("kind", EVENTS)
def test_a_canonical_event_fits_its_schema_and_what_is_none_does_not(kind):
    validator = jsonschema.Draft202012Validator(MADE[kind])
    validator.validate(EVENTS[kind])
    assert not validator.is_valid({k: v for k, v in EVENTS[kind].items() if k not in ("contract", "ref")})


def test_money_inside_is_a_pair_and_on_the_wire_an_object():
    invoice = EVENTS["invoice.received"]
    validator = jsonschema.Draft202012Validator(MADE["invoice.received"])
    assert not validator.is_valid(invoice | {"net": [100, "EUR"]})
    assert not validator.is_valid(invoice | {"net": {"amount": 1.0, "currency": "EUR"}})


def test_what_is_written_fits_its_schema():
    amount = c.Amount("1.00", "EUR")
    command = c.Command(
        command_id="x", action="hold", contract="C-1", milestone="M1", sequence=1, value=amount,
        released_to_date=amount, held=amount, targets=(), reasons=(), decided_at="2026-03-01T08:00:00Z", revision=1,
        rulebook="sha256:0", chain=c.Chain(1, "00"), basis=(),
    )  # fmt: skip
    jsonschema.Draft202012Validator(MADE["command"]).validate(json.loads(msgspec.json.encode(command)))


def test_every_kind_of_fact_has_a_schema_and_only_those_that_may_be_sent():
    assert fact_kinds().keys() <= MADE.keys()
    assert not {"message.unreadable", "message.redriven"} & MADE.keys()


# What a change breaks


def changed(name, change):
    schema = copy.deepcopy(MADE[name])
    change(schema)
    return breaks(MADE[name], schema, outgoing=is_outgoing(name))


def test_a_field_more_that_may_be_left_out_breaks_nobody():
    assert changed("command", lambda s: s["properties"].update(note={"type": "string"})) == []
    assert changed("hold.placed", lambda s: s["properties"].update(note={"type": "string"})) == []


@pytest.mark.parametrize("name", ["command", "hold.placed"])
def test_a_field_removed_or_of_another_type_breaks(name):
    field = "sequence" if name == "command" else "reason"
    assert changed(name, lambda s: s["properties"].pop(field)) == [f"{field}: removed"]
    assert changed(name, lambda s: s["properties"].update({field: {"type": "array"}}))


def test_readers_may_rely_on_what_was_certain_and_writers_on_what_was_optional():
    assert changed("command", lambda s: s["required"].remove("held")) == ["held: may be missing now"]
    assert changed("hold.placed", lambda s: s["required"].append("version")) == ["version: is required now"]
    assert changed("hold.placed", lambda s: s["required"].remove("by")) == []


def test_words_of_an_enumeration_neither_come_to_readers_nor_go_from_writers():
    assert changed("command", lambda s: s["properties"]["action"]["enum"].append("pay"))
    assert changed("invoice.received", lambda s: s["properties"]["state"]["enum"].remove("paid"))


def test_what_lies_deeper_is_seen_too():
    def change(schema):
        del schema["$defs"]["TargetLine"]["properties"]["net"]

    assert changed("command", change) == ["targets.[].net: removed"]


def test_nothing_that_was_committed_is_broken():
    """Against the version in git, so that a schema rewritten together with its type is still compared."""
    root = Path(__file__).parents[2]
    for name, schema in MADE.items():
        path = (FOLDER / f"{name}.json").relative_to(root)
        shown = subprocess.run(["git", "show", f"HEAD:{path}"], cwd=root, capture_output=True, check=False)
        if shown.returncode == 0:
            assert breaks(json.loads(shown.stdout), schema, outgoing=is_outgoing(name)) == [], name


# AsyncAPI


def test_the_asyncapi_document_describes_every_topic():
    made = document({"commands": "pay.commands"}, "1.2.3")
    ApplicationSchema.model_validate(made)
    addresses = [channel["address"] for channel in made["channels"].values()]
    assert len(addresses) == len(CHANNELS) == 11
    assert "pay.commands" in addresses
    assert "finance.commands" not in addresses
    assert made["channels"]["snapshots"]["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"] == ["compact"]
    assert "Drop a `sequence`" in made["channels"]["commands"]["description"]
    assert "Drop a `revision`" in made["channels"]["snapshots"]["description"]


def test_the_asyncapi_document_holds_whatever_it_refers_to():
    made = document({}, "1")
    for reference in json.dumps(made).split('"#/')[1:]:
        at = made
        for step in reference.partition('"')[0].split("/"):
            at = at[step]
    spoken = {kind for channel in CHANNELS.values() for kind in channel.spoken}
    assert spoken == {*fact_kinds(), "contract.registered"}

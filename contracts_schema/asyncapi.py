"""The AsyncAPI 3.0 document of all topics: what is on them, under which key, in which headers, what to rely on.

AsyncAPI's schemas are those of draft 07 with a few words more, and references start at the document: so definitions are
moved to `components`, and pairs are written as draft 07 writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from contracts_schema.schemas import IDENTIFIER_SCHEMA, MONEY_SCHEMA, Schema, fact_kinds, schemas

BINDING = "0.5.0"
DROP_SEQUENCE = "Drop a `sequence` at or below one you have seen of the same contract: delivery is at least once."
DROP_REVISION = "Drop a `revision` at or below one you have seen of the same {}: delivery is at least once."
SUBJECT = "contract/milestone, with `%` and `/` inside either percent-encoded"


class Channel(NamedTuple):
    """One topic. `spoken` names the canonical events on it; `vendor`: also payloads as the vendor sends them."""

    topic: str
    summary: str
    key: str
    spoken: tuple[str, ...] = ()
    vendor: bool = False
    written: str | None = None
    compacted: bool = False


_PROJECT = ("milestone.scheduled", "milestone.assessed")
_ERP = ("value.agreed", "goods.received", "invoice.received", "measure.reported")
_SUPPLIER = (
    "delivery.claimed", "evidence.attached", "evidence.removed", "invoice.received", "dispute.opened",
    "dispute.resolved", "compliance.document",
)  # fmt: skip
_FINANCE = ("invoice.received", "payment.made", "hold.observed", "command.acknowledged")
_OPERATOR = (
    "sign_off.given", "sign_off.withdrawn", "evidence.attached", "evidence.removed", "dispute.opened",
    "dispute.resolved", "hold.placed", "hold.lifted", "reason.waived", "milestone.activated", "measure.reported",
)  # fmt: skip
_KEY = "contract, from the register and operators; else the source's own: records that must stay in order share one"

# By name: roles of sources, then what Milepost writes. The names are those of the configuration.
CHANNELS: Mapping[str, Channel] = {
    "erp": Channel("erp.events", "Orders, receipts and invoices of an ERP.", _KEY, _ERP, True),
    "project": Channel("project.events", "Dates and progress of a project tool.", _KEY, _PROJECT, True),
    "supplier_portal": Channel("supplier.events", "Documents that suppliers send.", _KEY, _SUPPLIER, True),
    "finance": Channel("finance.events", "Payments, and the gate's answers to commands.", _KEY, _FINANCE, True),
    "register": Channel("contract.events", "Registrations of contracts.", _KEY, ("contract.registered",)),
    "operator": Channel("operator.events", "What persons did: sign, hold, waive, dispute.", _KEY, _OPERATOR),
    "commands": Channel(
        "finance.commands", "Holds and releases, in one topic, so that a release cannot overtake a hold. "
        f"{DROP_SEQUENCE}", "contract", written="command",
    ),
    "decisions": Channel(
        "milestone.decisions", "Every change of a decision, explained. " + DROP_REVISION.format("milestone"),
        "contract", written="decision",
    ),
    "snapshots": Channel(
        "milestone.snapshots", "The canonical milestone as it stands; no value once it left the plan. "
        + DROP_REVISION.format("key"), SUBJECT, written="snapshot", compacted=True,
    ),
    "notices": Channel(
        "milestone.notices", "What people are told in time: opened, raised, cleared, once for each cause. "
        + DROP_REVISION.format("`notice`"), "contract", written="notice",
    ),
    "quarantine": Channel(
        "milepost.quarantine", "What could not be used, and why.", "source", written="quarantine"
    ),
}  # fmt: skip


def document(names: Mapping[str, str], version: str) -> dict[str, Any]:
    """The document. `names` gives the topics that are not called as by default, by role or by what is written."""
    topics = {name: names.get(name, channel.topic) for name, channel in CHANNELS.items()}
    parts = _Components()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Milepost",
            "version": version,
            "description": 'Contract milestones reconciled into payment holds and releases. Commands say "set to": '
            "amounts are cumulative, and a repeat does no harm.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(topics[name], channel, parts) for name, channel in CHANNELS.items()},
        "operations": {_operation(name, c): _action(name, c) for name, c in CHANNELS.items()},
        "components": {"messages": parts.messages, "schemas": dict(sorted(parts.schemas.items()))},
    }


def _channel(topic: str, channel: Channel, parts: _Components) -> dict[str, Any]:
    binding: dict[str, Any] = {"topic": topic, "bindingVersion": BINDING}
    if channel.compacted:
        binding["topicConfiguration"] = {"cleanup.policy": ["compact"]}
    names = parts.add(channel)
    return {
        "address": topic,
        "description": channel.summary,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": binding},
    }


def _operation(name: str, channel: Channel) -> str:
    return f"{'publish' if channel.written else 'read'}_{name}"


def _action(name: str, channel: Channel) -> dict[str, Any]:
    action = "send" if channel.written else "receive"
    return {"action": action, "channel": {"$ref": f"#/channels/{name}"}, "summary": channel.summary}


class _Components:
    """Messages and schemas, gathered channel by channel."""

    def __init__(self) -> None:
        self.messages: dict[str, Any] = {}
        self.schemas: dict[str, Schema] = {"Identifier": IDENTIFIER_SCHEMA, "Money": MONEY_SCHEMA}
        self._made = schemas()

    def add(self, channel: Channel) -> list[str]:
        """The names of the messages on a channel, all of them defined."""
        key = {"kafka": {"key": {"type": "string", "description": channel.key}, "bindingVersion": BINDING}}
        made: dict[str, Any] = {}
        for kind in channel.spoken:
            made |= self._canonical(kind)
        if channel.vendor:
            made["vendor"] = _VENDOR
        if channel.written:
            made[channel.written] = self._written(channel.written, channel)
        for name, message in made.items():
            self.messages.setdefault(name, {"name": name, **message, "bindings": key})
        return list(made)

    def _canonical(self, kind: str) -> dict[str, Any]:
        """A canonical event in both modes of CloudEvents' Kafka binding."""
        self._define(kind)
        data, about = {"$ref": f"#/components/schemas/{kind}"}, _about(kind)
        binary = {
            "summary": about,
            "contentType": "application/json",
            "headers": _binary_headers(kind),
            "payload": data,
        }
        envelope = _envelope(kind, data)
        structured = {
            "summary": f"{about} The whole event in the value.", "contentType": "application/cloudevents+json",
            "headers": _structured_headers(), "payload": envelope,
        }  # fmt: skip
        return {kind: binary, f"{kind}.structured": structured}

    def _written(self, name: str, channel: Channel) -> dict[str, Any]:
        self._define(name)
        headers = (
            _COMMAND_HEADERS
            if name == "command"
            else _headers({"content-type": _const("application/json")}, "content-type")
        )
        payload: Schema = {"$ref": f"#/components/schemas/{name}"}
        message = {
            "summary": channel.summary,
            "contentType": "application/json",
            "headers": headers,
            "payload": payload,
        }
        if name == "command":
            message["correlationId"] = {"location": "$message.payload#/command_id"}
        return message

    def _define(self, name: str) -> None:
        schema = {k: v for k, v in self._made[name].items() if k not in ("$schema", "$id", "version")}
        definitions = schema.pop("$defs", {})
        self.schemas[name] = _moved(schema)
        self.schemas.update({part: _moved(inner) for part, inner in definitions.items()})


def _moved(part: Any) -> Any:
    """References to `components`; pairs as draft 07 has them."""
    if isinstance(part, list):
        return [_moved(item) for item in part]
    if not isinstance(part, dict):
        return part
    if isinstance(part.get("$ref"), str):
        return {"$ref": part["$ref"].replace("#/$defs/", "#/components/schemas/")}
    moved = {key: _moved(value) for key, value in part.items() if key != "prefixItems"}
    if "prefixItems" in part:
        moved |= {"items": _moved(part["prefixItems"]), "additionalItems": False}
    return moved


def _about(kind: str) -> str:
    kinds = fact_kinds()
    return (kinds[kind].__doc__ or "").partition("\n")[0] if kind in kinds else "A version of the milestone plan."


def _const(value: str) -> Schema:
    return {"type": "string", "const": value}


def _headers(properties: dict[str, Schema], *required: str) -> Schema:
    return {"type": "object", "properties": properties} | ({"required": list(required)} if required else {})


def _source_header() -> dict[str, Schema]:
    return {
        "milepost-source": {
            "type": "string",
            "description": "Which source speaks, where several share the topic; any other name is quarantined.",
        }
    }


def _binary_headers(kind: str) -> Schema:
    fixed = {"ce_specversion": _const("1.0"), "ce_type": _const(f"milepost.{kind}.v1")}
    text = {"ce_id": _IDENTIFIER, "ce_source": _IDENTIFIER}
    time = {"ce_time": {"type": "string", "format": "date-time", "description": "The source's own time."}}
    return _headers({**fixed, **text, **time, **_source_header()}, *fixed, *text)


def _structured_headers() -> Schema:
    return _headers({"content-type": _const("application/cloudevents+json"), **_source_header()}, "content-type")


def _envelope(kind: str, data: Schema) -> Schema:
    fixed = {"specversion": _const("1.0"), "type": _const(f"milepost.{kind}.v1")}
    properties = {
        **fixed, "id": _IDENTIFIER, "source": _IDENTIFIER, "time": {"type": "string", "format": "date-time"},
        "data": data,
    }  # fmt: skip
    return {"type": "object", "properties": properties, "required": [*fixed, "id", "source", "data"]}


_IDENTIFIER: Schema = {"$ref": "#/components/schemas/Identifier"}
_VENDOR: dict[str, Any] = {
    "summary": "A payload as the vendor's system sends it, untouched. MAPPINGS.md says what is read of it.",
    "contentType": "application/octet-stream",
    "headers": _headers(
        {
            "milepost-kind": {"type": "string", "description": "What it is, where the payload does not tell."},
            "milepost-observed-at": {"type": "string", "description": "When the collector saw it."},
            **_source_header(),
        }
    ),
    "payload": {},
}
_COMMAND_HEADERS: Schema = _headers(
    {
        "ce_specversion": _const("1.0"),
        "ce_id": {"type": "string", "description": "The command's id: the same id is the same command."},
        "ce_source": _const("milepost"),
        "ce_type": {"type": "string", "enum": ["milepost.payment.hold.v1", "milepost.payment.release.v1"]},
        "ce_subject": {"type": "string", "description": SUBJECT},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": _const("application/json"),
    },
    "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "content-type",
)  # fmt: skip

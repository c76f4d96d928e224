"""Commands and decisions: what the log says against what stands in the topics, both ways; and what an id stands for."""

import json
from collections import Counter, defaultdict
from decimal import Decimal
from hashlib import sha256

from judging.evidence import Finding

# Digits behind the point, where they are not two (ISO 4217).
NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THREE, FOUR = "BHD IQD JOD KWD LYD OMR TND", "CLF UYW"
BOUND = ("contract", "milestone", "sequence", "action", "value", "released_to_date", "held", "targets", "carried")
TYPES = {"hold": b"milepost.payment.hold.v1", "release": b"milepost.payment.release.v1"}


def digits_of(currency):
    """Digits behind the point of a currency's amounts."""
    return 0 if currency in NONE else 3 if currency in THREE else 4 if currency in FOUR else 2


def minor_of(text, currency):
    """Minor units of an amount as it goes over the wire."""
    return int(Decimal(text).scaleb(digits_of(currency)))


def money(minor, currency):
    """Minor units as they go over the wire."""
    digits = digits_of(currency)
    text = str(abs(minor)).rjust(digits + 1, "0")
    text = f"{text[:-digits]}.{text[-digits:]}" if digits else text
    return {"amount": ("-" if minor < 0 else "") + text, "currency": currency}


def id_of(command):
    """SHA-256 of the RFC 8785 JSON of what a command tells finance to do."""
    content = {name: command[name] for name in BOUND if name in command}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def bound_content(contract, decision):
    """What the id of a decision's command must stand for, from the log."""
    said, currency = decision.said, decision.currency
    content = {
        "contract": contract, "milestone": decision.milestone, "sequence": said.sequence, "action": said.action,
        "value": money(decision.value, currency), "released_to_date": money(decision.released, currency),
        "held": money(decision.held, currency), "targets": [_target(target) for target in said.targets],
    }  # fmt: skip
    return content if decision.carried is None else content | {"carried": money(decision.carried, currency)}


def _target(target):
    return {
        "invoice": target.invoice, "supplier": target.supplier, "supplier_identifiers": target.identifiers,
        "business_unit": target.unit, "source_keys": target.keys, "net": money(*target.net),
        "total": money(*target.total) if target.total else None, "payable_to_date": money(*target.payable),
        "state": target.state,
    }  # fmt: skip


def check_commands(evidence):
    """Each command of the log stands in the topic, and nothing else does; its id is that of its content; in order."""
    logged = {}
    for contract, rows in evidence.log.items():
        for row in rows:
            for decision in row.entry.decisions:
                if decision.said is not None:
                    content = bound_content(contract, decision)
                    if id_of(content) != decision.said.command_id:
                        place = f"sequence {decision.said.sequence} in the log"
                        yield Finding("id", contract, f"{place} has the id of its content", decision.said.command_id)
                    logged[decision.said.command_id] = (row, decision, content)
    seen, first = set(), defaultdict(list)
    for record in evidence.topics["finance.commands"]:
        if "milepost-forged" not in record.headers:  # those are the experiment's own
            command = json.loads(record.value)
            if command["command_id"] not in seen:
                first[command["contract"]].append(command["sequence"])
            seen.add(command["command_id"])
            yield from _check_published(record, command, logged.get(command["command_id"]), evidence)
    for command_id in sorted(logged.keys() - seen):
        row, decision, _ = logged[command_id]
        expected = f"sequence {decision.said.sequence} stands in finance.commands"
        yield Finding("lost command", row.contract, expected, f"it is not there ({evidence.outbox} rows wait)")
    for contract, sequences in sorted(first.items()):
        if sequences != sorted(sequences):
            yield Finding("order", contract, "sequences come first in rising order", f"{sequences}")


def _check_published(record, command, logged, evidence):
    contract, place = command["contract"], f"finance.commands/{record.partition}/{record.offset}"
    if id_of(command) != command["command_id"]:
        yield Finding("id", contract, f"{place} has the id of its content", command["command_id"])
    if logged is None:
        if command["sequence"] > adopted_upto(evidence.log.get(contract, ())):
            yield Finding("forged command", contract, f"{place} stands in the log", f"{command['command_id']} does not")
        return
    row, decision, content = logged
    same = {name: command.get(name) for name in content} == content
    codes = [reason["code"] for reason in command["reasons"]] == [reason[0] for reason in decision.reasons]
    proof = (command["revision"], command["chain"]["head"]) == (row.revision, row.head.hex())
    said = (record.headers.get("ce_id"), record.headers.get("ce_type"), record.key)
    envelope = said == (command["command_id"].encode(), TYPES[command["action"]], contract.encode())
    for fits, what in ((same, "content"), (codes, "reasons"), (proof, "chain"), (envelope, "envelope")):
        if not fits:
            yield Finding("topic", contract, f"{place} says what the log says", f"its {what} differs")


def check_repeats(evidence):
    """Where nobody died and every send was confirmed, each command stands in its topic once."""
    times = Counter(r.value for r in evidence.topics["finance.commands"] if "milepost-forged" not in r.headers)
    again = sum(times.values()) - len(times)
    if evidence.repeats is not None and again > evidence.repeats:
        yield Finding(
            "doubled", "(none)", f"at most {evidence.repeats} commands stand twice in the topic", f"{again} do"
        )


def adopted_upto(rows):
    """Up to which sequence commands were taken over from another store."""
    facts = (fact.body for row in rows for fact in row.entry.facts)
    return max((body["sequence"] for body in facts if body["kind"] == "commands.adopted"), default=0)


def check_decisions(evidence):
    """Each decision of the log stands in its topic with the same amounts and reasons, and nothing else does."""
    logged = {
        (contract, row.revision, decision.milestone): (row, decision)
        for contract, rows in evidence.log.items()
        for row in rows
        for decision in row.entry.decisions
    }
    seen = set()
    for record in evidence.topics["milestone.decisions"]:
        told = json.loads(record.value)
        key = (told["contract"], told["revision"], told["milestone"])
        seen.add(key)
        if key not in logged:
            yield Finding("topic", key[0], "decisions of the topic stand in the log", f"{key[2]}, revision {key[1]}")
        elif not _is_told(told, *logged[key]):
            yield Finding("topic", key[0], f"decision {key[2]}, revision {key[1]}, as in the log", "it differs")
    for contract, revision, milestone in sorted(logged.keys() - seen):
        yield Finding(
            "lost decision", contract, f"{milestone}, revision {revision}, was told", "it is not in the topic"
        )


def _is_told(told, row, decision):
    amounts = [told[name] for name in ("value", "released_to_date", "held")]
    logged = [money(minor, decision.currency) for minor in (decision.value, decision.released, decision.held)]
    codes = [reason["code"] for reason in told["reasons"]] == [reason[0] for reason in decision.reasons]
    command = told["command_id"] == (decision.said.command_id if decision.said else None)
    return amounts == logged and codes and command and told["chain"]["head"] == row.head.hex()

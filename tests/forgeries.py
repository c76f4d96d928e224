"""Forged, altered, replayed and garbled commands, made of genuine ones: what whoever can write to the topic may try."""

from msgspec import UNSET
from msgspec.json import decode, encode
from msgspec.structs import replace

from contracts_schema.commands import Amount, Command, command_id
from contracts_schema.records import Record
from services.runtime.outgoing import command_row

TOPIC = "finance.commands"


def record_of(row, offset, **changes):
    """A published command as a record; `changes` are parts of the row."""
    parts = {"key": row.key, "headers": row.headers, "value": row.value} | changes
    return Record(TOPIC, 0, offset, 1_772_000_000_000, parts["key"], parts["headers"], parts["value"])


def content(row):
    return decode(row.value, type=Command)


def signed_anew(command, offset):
    """The forged command under the id that its content has, in an envelope that agrees."""
    said = {name: getattr(command, name) for name in (
        "contract", "milestone", "sequence", "action", "value", "released_to_date", "held", "targets")}  # fmt: skip
    carried = None if command.carried is UNSET else command.carried
    return record_of(command_row(replace(command, command_id=command_id(**said, carried=carried)), TOPIC), offset)


def freed(command):
    """The command as a thief would like it: all of every invoice may leave, and more is released than it was worth."""
    targets = tuple(replace(t, payable_to_date=t.net, state="free") for t in command.targets)
    much, nothing = Amount("999999.99", "EUR"), Amount("0.00", "EUR")
    return replace(command, action="release", value=much, released_to_date=much, held=nothing, targets=targets)


def all_freed(rng, row, others, offset):
    return signed_anew(replace(freed(content(row)), sequence=rng.randint(1, 60)), offset)


def under_another_revision(rng, row, others, offset):
    return signed_anew(replace(freed(content(row)), revision=content(rng.choice(others)).revision), offset)


def for_another_contract(rng, row, others, offset):
    other = content(rng.choice(others))
    return signed_anew(replace(freed(content(row)), contract=other.contract + "x", milestone=other.milestone), offset)


def at_another_milestone(rng, row, others, offset):
    return signed_anew(replace(content(row), milestone=f"M{rng.randint(3, 99)}"), offset)


def with_another_number(rng, row, others, offset):
    return signed_anew(replace(content(row), sequence=content(row).sequence + rng.randint(1, 1000)), offset)


def with_an_invoice_more(rng, row, others, offset):
    command = content(row)
    if not command.targets:
        return all_freed(rng, row, others, offset)
    more = replace(command.targets[0], invoice=f"INV-{rng.randint(10, 10**6)}")
    return signed_anew(freed(replace(command, targets=(*command.targets, more))), offset)


def for_another_finance_system(rng, row, others, offset):
    return record_of(row, offset, value=encode(decode(row.value) | {"finance": f"ap-{rng.randint(1, 99)}"}))


def of_no_revision(rng, row, others, offset):
    forged = signed_anew(freed(content(row)), offset)
    revision = rng.choice([0, -1, 2**62, 2**63, 10**30, 1.5, None, content(row).revision + rng.randint(100, 999)])
    return replace(forged, value=encode(decode(forged.value) | {"revision": revision}))


def altered_on_its_way(rng, row, others, offset):
    field = rng.choice(["sequence", "contract", "milestone", "action", "value", "released_to_date", "held", "targets"])
    theirs = decode(rng.choice(others).value)
    mine = decode(row.value)
    mine[field] = theirs[field] if theirs[field] != mine[field] else f"x{rng.random()}"
    return record_of(row, offset, value=encode(mine))


def with_a_key_twice(rng, row, others, offset):
    return record_of(row, offset, value=row.value[:-1] + b',"targets":[]}')


def with_a_byte_changed(rng, row, others, offset):
    value = bytearray(row.value)
    at = rng.randrange(value.index(b'"reasons"'))
    value[at] ^= 1 << rng.randrange(8)
    return record_of(row, offset, value=bytes(value))


def cut_off(rng, row, others, offset):
    return record_of(row, offset, value=row.value[: rng.randrange(len(row.value))])


def in_another_envelope(rng, row, others, offset):
    name = rng.choice(["ce_id", "ce_type", "ce_subject"])
    headers = tuple((k, v if k != name else b"x" + v) for k, v in row.headers)
    return record_of(row, offset, headers=headers)


def under_another_key(rng, row, others, offset):
    return record_of(row, offset, key=rng.choice([None, b"", b"C-99", row.key + b"\x00"]))


def again(rng, row, others, offset):
    return record_of(row, offset)


def again_with_other_reasons(rng, row, others, offset):
    return record_of(row, offset, value=encode(decode(row.value) | {"reasons": [], "decided_at": f"{rng.random()}"}))


FORGED = [
    all_freed, under_another_revision, for_another_contract, at_another_milestone, with_another_number,
    with_an_invoice_more, for_another_finance_system, of_no_revision, altered_on_its_way, with_a_key_twice,
    with_a_byte_changed, cut_off, in_another_envelope, under_another_key,
]  # fmt: skip
REPLAYED = [again, again_with_other_reasons]

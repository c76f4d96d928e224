"""Every field of facts and plans that can hold a text is known as a person's or as none, and records are read in one
place, so that no way past the pseudonyms opens unseen."""

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from msgspec import Struct

from contracts_schema import plan as p
from contracts_schema.fact_fields import Body
from contracts_schema.persons import PERSONS

ROOT = Path(__file__).parents[2]
# Texts that name no person: ids, codes, figures, organisations, roles, documents; and free text, kept as it was said.
NO_PERSON = {
    "percent", "quantity", "received", "accepted", "rejected", "ordered", "short", "unit", "name", "sha256", "uri",
    "role", "evidence", "number", "supplier", "supplier_identifiers", "business_unit", "credits", "state", "value",
    "period", "dispute", "reason", "outcome", "hold", "code", "ticket", "cause", "rationale", "command_id", "detail",
    "payment", "invoice", "holder", "sentence", "scope", "document", "status", "released", "contract", "title", "buyer",
    "currency", "buyer_name", "supplier_name", "timezone", "calendar", "finance", "refs", "compliance",
    "hold_on_conflict", "authority", "id", "kind", "after", "requires", "deliverables", "contingency_for", "replaces",
    "reference", "rate_percent", "until_percent", "returns_percent", "release_on", "recoup_percent", "roles", "from_",
    "rate", "percent_per_day", "cap_percent", "keys",
}  # fmt: skip
TYPES = [*Body.__subclasses__(), *(t for t in vars(p).values() if isinstance(t, type) and issubclass(t, Struct))]
TYPES = [t for t in TYPES if t is not Struct]


def holds_text(hint):
    """Whether a text can stand there; structs of ours are looked at by themselves."""
    return (
        hint is str or any(holds_text(part) for part in get_args(hint)) or any(type(w) is str for w in get_args(hint))
    )


def texts(kind):
    return {field for field, hint in get_type_hints(kind, include_extras=False).items() if holds_text(hint)}


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_text_is_known_as_a_persons_or_as_none(kind):
    persons = set(PERSONS.get(kind, ()))
    assert persons <= texts(kind)
    unknown = texts(kind) - persons - NO_PERSON
    assert not unknown, f"say in contracts_schema/persons.py, or here, whether {unknown} names a person"


def test_no_name_is_a_persons_here_and_nobodys_there():
    assert not NO_PERSON & {field for fields in PERSONS.values() for field in fields}
    assert not [name for name in NO_PERSON if re.search(r"(^|_)by$|person|owner|user", name)]


def test_records_are_read_by_readers_of_one_make():
    made = [path.relative_to(ROOT).as_posix() for path in (ROOT / "services").rglob("*.py")
            if re.search(r"(?<!class )\bReader\(", path.read_text())]  # fmt: skip
    assert made == ["services/wiring/doors.py"]

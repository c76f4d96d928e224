"""What must not have been let in at all: words of those who may not say them, dates that cannot be, moments to come."""

import json
from datetime import timedelta

from judging.dates import day, day_of, micros
from judging.evidence import Finding

DAY = timedelta(days=1)
DAY_US = 86_400_000_000  # the database's clock may have been moved since; by more nobody moves it
ACTUAL = {
    "milestone.assessed": "met_on", "delivery.claimed": "delivered_on", "goods.received": "received_on",
    "sign_off.given": "signed_at", "payment.made": "paid_on",
}  # fmt: skip


def check_admitted(evidence):
    """Every fact of the log might be let in, and no revision has a moment that has not come yet."""
    books = [json.loads(content) for content in evidence.books.values()]
    for contract, rows in sorted(evidence.log.items()):
        for row in rows:
            if evidence.now is not None and row.entry.moment > evidence.now + DAY_US:
                found = f"{row.entry.moment} in revision {row.revision}"
                yield Finding("clock", contract, f"no moment behind the database's, {evidence.now}", found)
            for fact in row.entry.facts:
                for wrong in _wrong(fact, books):
                    yield Finding("let in", contract, f"{fact.source}/{fact.id} is not let in: {wrong}", "it was")


def _wrong(fact, books):
    """Why a fact must not be there (rules A8, A11, B3, D6): under every rulebook that there was."""
    body = fact.body
    if body["kind"] == "contract.registered" and all(b["roles"].get(fact.source) != "register" for b in books):
        yield "only the register registers"
    if body["kind"] == "reason.waived" and all(
        _person(b, fact.source, body["by"]) == _person(b, fact.source, body["approved_by"]) for b in books
    ):
        yield "one person waives alone"
    told = body.get(ACTUAL.get(body["kind"]))
    if told is not None and _is_ahead(told, fact.time):
        yield f"{told} lies more than a day ahead of its own time"


def _person(book, source, identity):
    people = book.get("people", {})
    return people.get(f"{source}:{identity}") or people.get(identity, identity)


def _is_ahead(told, time):
    if hasattr(told, "hour") or (isinstance(told, str) and "T" in told):
        return micros(told) > time + DAY_US
    return day(told) > day_of(time, "UTC") + DAY

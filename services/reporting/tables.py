"""Tables for spreadsheets and databases: milestones as they stand, commands, decisions, facts (FIGURES.md: exports)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from msgspec import UNSET, to_builtins
from msgspec.json import encode

from contracts_schema.facts import ContractRegistered, Fact
from contracts_schema.money import Money, format_amount
from services.reconciliation.calendar import show_moment
from services.reconciliation.wire import amount
from services.reporting.answers import NO_ANSWER, Answer, answers
from services.reporting.dossier import Dossier, first_due
from services.reporting.sheet import Cell

Row = tuple[Cell, ...]

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "milestones": (
        "contract", "version", "milestone", "title", "kind", "owner", "status", "first_due", "due", "forecast",
        "met_on", "currency", "value", "released", "held", "carried", "action", "reasons", "exceptions", "revision",
    ),
    "commands": (
        "contract", "milestone", "sequence", "action", "decided_at", "revision", "finance", "currency", "value",
        "released", "held", "invoices", "payable", "answer", "answer_detail", "command_id",
    ),
    "decisions": (
        "contract", "revision", "decided_at", "cause", "milestone", "status", "currency", "value", "released", "held",
        "allowed", "reasons", "exceptions", "command_id", "rulebook",
    ),
    "facts": (
        "contract", "revision", "decided_at", "source", "fact", "kind", "milestone", "keys", "time", "version",
        "document", "says",
    ),
}  # fmt: skip


def milestones(dossier: Dossier) -> Iterator[Row]:
    """Every milestone of the plan in force, and those that left it after money was released."""
    for name, standing in dossier.standings.items():
        p, case, currency = standing.position, standing.case, standing.currency
        known = case.milestone if case is not None else None
        days = (None, None, None) if case is None else (case.milestone.due, case.forecast.value, case.completion.met_on)
        first = first_due(dossier, name)
        yield (
            dossier.contract, dossier.plan.version, name, known.title if known else None, known.kind if known else None,
            known.owner if known else None, standing.status, *(d.isoformat() if d else None for d in (first, *days)),
            currency, *(format_amount(minor, currency) for minor in (p.value, p.released, p.held)),
            None if p.carried is None else format_amount(p.carried, currency), standing.action,
            " ".join(r.code for r in p.reasons), " ".join(p.exceptions), dossier.state.revision,
        )  # fmt: skip


def commands(dossier: Dossier) -> Iterator[Row]:
    """Every command, in order of its sequence, with what finance has answered last."""
    known = answers(dossier)
    for entry in dossier.entries:
        for d in entry.decisions:
            if d.said is not None:
                answer = known.get(d.said.command_id, Answer(NO_ANSWER, ""))
                payable = " ".join(amount(*t.payable).amount for t in d.said.targets)
                yield (
                    entry.contract, d.milestone, d.said.sequence, d.said.action, show_moment(entry.moment),
                    entry.revision, entry.finance, d.currency,
                    *(format_amount(minor, d.currency) for minor in (d.value, d.released, d.held)),
                    " ".join(t.invoice for t in d.said.targets), payable, answer.state, answer.detail or None,
                    d.said.command_id,
                )  # fmt: skip


def decisions(dossier: Dossier) -> Iterator[Row]:
    """Every changed decision, as it was taken."""
    for entry in dossier.entries:
        for d in entry.decisions:
            amounts = (d.value, d.released, d.held, d.allowed)
            yield (
                entry.contract, entry.revision, show_moment(entry.moment), entry.cause, d.milestone, d.status,
                d.currency, *(format_amount(minor, d.currency) for minor in amounts),
                " ".join(f"{r.code}:{format_amount(r.amount, d.currency)}" for r in d.reasons), " ".join(d.exceptions),
                d.said.command_id if d.said else None, entry.rulebook,
            )  # fmt: skip


def facts(dossier: Dossier) -> Iterator[Row]:
    """Every fact that was applied, in the revision that applied it; `says` is JSON."""
    for entry in dossier.entries:
        for fact in entry.facts:
            yield (
                entry.contract, entry.revision, show_moment(entry.moment), fact.source, fact.id, fact.kind,
                fact.address.milestone, " ".join(fact.address.keys) or None, show_moment(fact.time), fact.version,
                fact.document, encode(said(fact), order="sorted").decode(),
            )  # fmt: skip


def said(fact: Fact) -> dict[str, Any]:
    """What a fact says beside its address, as on the wire; of a registration its version alone."""
    if isinstance(fact.body, ContractRegistered):
        return {"version": fact.body.version}
    named = {name: getattr(fact.body, name) for name in fact.body.__struct_fields__}
    return {name: _plain(value) for name, value in named.items() if value is not UNSET}


def _plain(value: Any) -> Any:
    if isinstance(value, Money):
        return amount(*value)
    if isinstance(value, bytes):
        return value.hex()
    return to_builtins(value)


TABLES: Final[Mapping[str, Callable[[Dossier], Iterator[Row]]]] = {
    "milestones": milestones, "commands": commands, "decisions": decisions, "facts": facts,
}  # fmt: skip

"""What may be paid today: what the last commands free of each invoice, less what finance says it has paid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from contracts_schema.money import format_amount
from services.reconciliation.case import Case
from services.reconciliation.exceptions import worth_of
from services.reconciliation.log import Said
from services.reconciliation.position import Target
from services.reconciliation.subject import invoice_number
from services.reporting.dossier import Dossier
from services.reporting.sheet import Cell, Sheet, add_to


class Due(NamedTuple):
    """The part of one invoice that falls on one milestone, in minor units: `payable` to date, of which `paid`."""

    finance: str
    contract: str
    milestone: str
    target: Target
    paid: int

    @property
    def today(self) -> int:
        """What may be paid today."""
        return max(0, self.target.payable.minor - self.paid)


def last_said(dossier: Dossier, milestone: str) -> tuple[str, Said] | None:
    """The finance system and the last command of a milestone."""
    for line in reversed(dossier.lines.get(milestone, ())):
        if line.decided.said is not None:
            return line.finance or "", line.decided.said
    return None


def due_today(dossier: Dossier) -> Iterator[Due]:
    """Every invoice that the last commands of a contract name."""
    for name, case in dossier.cases.items():
        last = last_said(dossier, name)
        if last is None:
            continue
        finance, said = last
        paid = paid_by_invoice(case)
        unnamed = paid.pop("", 0)
        for target in said.targets:
            known = paid.get(invoice_number(target.invoice), 0)
            more = min(unnamed, max(0, target.payable.minor - known))
            unnamed -= more
            settled = target.payable.minor if _is_paid(case, target) else known + more
            yield Due(finance, dossier.contract, name, target, settled)


def _is_paid(case: Case, target: Target) -> bool:
    return any(i.identity == target.identity and i.state == "paid" for i in case.invoices)


def paid_by_invoice(case: Case) -> dict[str, int]:
    """What finance has paid of each invoice of a milestone (net, minor units); of none that it names under ``."""
    found: dict[str, int] = {}
    for slot in case.of("payment.made", "payment"):
        number = invoice_number(slot.body.invoice or "")
        found[number] = found.get(number, 0) + int(worth_of(case, slot) or 0)
    return found


class PayableToday:
    """Rows for what may be paid today, and totals by finance system and currency."""

    def __init__(self) -> None:
        self.rows: list[tuple[Cell, ...]] = []
        self.totals: dict[str, dict[str, int]] = {}

    def add(self, dossier: Dossier) -> None:
        """Count one contract. The parts of one invoice at several milestones of it are one row."""
        found: dict[tuple[str, str], list[Due]] = {}
        for due in due_today(dossier):
            if due.today > 0:
                found.setdefault((due.finance, due.target.identity), []).append(due)
        for (finance, _), parts in found.items():
            self.rows.append(_row(finance, parts))
            for due in parts:
                add_to(self.totals.setdefault(finance, {}), {due.target.payable.currency: due.today})

    def sheet(self) -> Sheet:
        """A row an invoice; the totals stand in the notes."""
        columns = (
            "finance", "invoice", "supplier", "contract", "milestones", "currency", "net", "payable_to_date", "paid",
            "payable_today",
        )  # fmt: skip
        notes = [
            f"{finance or 'no finance system named'}: {format_amount(amount, currency)} {currency} may be paid today"
            for finance, sums in sorted(self.totals.items())
            for currency, amount in sorted(sums.items())
        ]
        return Sheet("payable", "Payable today", columns, tuple(sorted(self.rows, key=str)), tuple(notes))


def _row(finance: str, parts: list[Due]) -> tuple[Cell, ...]:
    target, currency = parts[0].target, parts[0].target.payable.currency
    sums = (
        sum(due.target.net.minor for due in parts), sum(due.target.payable.minor for due in parts),
        sum(due.paid for due in parts), sum(due.today for due in parts),
    )  # fmt: skip
    return (
        finance or None, target.invoice, target.supplier, parts[0].contract,
        " ".join(due.milestone for due in parts), currency, *(format_amount(minor, currency) for minor in sums),
    )  # fmt: skip

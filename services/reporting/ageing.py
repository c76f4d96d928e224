"""How old the holds are, in bands, with what they hold in each currency (FIGURES.md: ageing)."""

from __future__ import annotations

from msgspec import Struct

from contracts_schema.money import format_amount
from services.reconciliation.case import Case
from services.reporting.dossier import Dossier
from services.reporting.sheet import Cell, Sheet

BANDS = ((7, "0-7 days"), (30, "8-30 days"), (60, "31-60 days"), (90, "61-90 days"))
OLDEST = "over 90 days"


def band(days: int) -> str:
    """The band of an age in whole days."""
    return next((name for last, name in BANDS if days <= last), OLDEST)


class Aged(Struct):
    """What one band holds in one currency, in minor units; `invoiced` is the part that suppliers wait for."""

    milestones: int = 0
    held: int = 0
    invoiced: int = 0


class Ageing:
    """Milestones of which something is held, by the age of their oldest open reason."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.bands: dict[tuple[str, str], Aged] = {}

    def add(self, dossier: Dossier) -> None:
        """Count one contract."""
        for milestone, case in dossier.counted:
            position = dossier.standings[milestone.id].position
            since = dossier.state.milestones[milestone.id].since
            if position.held > 0 and since:
                age = (dossier.day(self.now) - dossier.day(min(since.values()))).days
                aged = self.bands.setdefault((dossier.plan.currency, band(age)), Aged())
                aged.milestones += 1
                aged.held += position.held
                aged.invoiced += invoiced_and_held(case, position.held, position.released)

    def sheet(self) -> Sheet:
        """A row for each currency and band, the youngest first; bands of which nothing is held are shown too."""
        names = [*(name for _, name in BANDS), OLDEST]
        currencies = sorted({currency for currency, _ in self.bands})
        rows = [_row(c, name, self.bands.get((c, name), Aged())) for c in currencies for name in names]
        return Sheet("ageing", "Hold ageing", ("currency", "age", "milestones", "held", "of_it_invoiced"), tuple(rows))


def invoiced_and_held(case: Case, held: int, released: int) -> int:
    """What of a hold invoices that count ask for: all they ask for beyond what was released."""
    return max(0, min(held, int(case.invoiced) - released))


def _row(currency: str, name: str, aged: Aged) -> tuple[Cell, ...]:
    held, invoiced = format_amount(aged.held, currency), format_amount(aged.invoiced, currency)
    return currency, name, aged.milestones, held, invoiced

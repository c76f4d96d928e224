"""The case of a contract: its plan in force, what stands under each milestone, and the cases of them all.

It is kept beside the state that it was worked out from (`renew`), and when facts come only what they touch is worked
out anew. It can be thrown away at any time; a law proves that it then comes out the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from services.reconciliation.calendar import day_of
from services.reconciliation.case import Case, activated_at
from services.reconciliation.claims import claimed_twice
from services.reconciliation.crosswalk import Index, successors
from services.reconciliation.invoices import Ledger, ledger, numbers_at, seen_numbers, sharing_invoices
from services.reconciliation.policy import Rules
from services.reconciliation.position import Position
from services.reconciliation.settled import Settled, settled
from services.reconciliation.standing import EVERY_KIND, NO_KIND, Kinds, Standing, place
from services.reconciliation.state import State

Touched = Mapping[str, Kinds]  # milestones and the kinds of facts that have come for them


class ContractCase:
    """A contract at one moment: its plan in force and the cases of its milestones, in plan order.

    `wanted` are the milestones to decide now, with the kinds of facts that may have changed what is decided;
    `positions` is what was last decided of each, `changed` are those of which that may be something else. `counted`
    are the invoice numbers that were looked at for this decision, None all.
    """

    def __init__(self, state: State, index: Index, moment: int, rules: Rules) -> None:
        self.state = state
        self.index = index
        self.plan = index.plan
        self.rules = rules
        self.moment = moment
        self.today: date = day_of(moment, self.plan.timezone)
        self.placed: dict[str, Standing] = {milestone: {} for milestone in index.milestones}
        self._slots = place(state, index, self.placed)
        self._take_stock(ledger(self.placed, self.plan, rules), None)
        self.cases: dict[str, Case] = {n: Case(self, m, self.placed[n]) for n, m in index.milestones.items()}
        self.wanted: Touched = dict.fromkeys(self.cases, EVERY_KIND)
        self.positions: dict[str, Position] = {}
        self.changed: Collection[str] = ()
        self._settled: Settled | None = None

    @property
    def settled(self) -> Settled:
        """By milestone that something was carried to: what of each of its invoices was paid before (rules B8, E3)."""
        if self._settled is None:
            self._settled = settled(self.cases.values())
        return self._settled

    def _take_stock(self, found: Ledger, numbers: Collection[str] | None) -> None:
        self.ledger: Ledger = found
        self.counted = numbers
        self.seen: Mapping[str, bool] = seen_numbers(found)
        self.claims: Mapping[str, Mapping[str, str]] = claimed_twice(found)

    def renew(self, moment: int, touched: Touched) -> None:
        """Bring it up to date with facts of these kinds at these milestones, merged since it was worked out."""
        self.moment = moment
        self._slots = place(self.state, self.index, self.placed, self._slots)
        wanted, self.counted, self._settled = dict(touched), (), None
        invoiced = [name for name, kinds in touched.items() if "invoice.received" in kinds]
        if invoiced:
            sharing = sharing_invoices(self.placed, invoiced)
            numbers = numbers_at(self.placed, sharing)
            self._take_stock(ledger(self.placed, self.plan, self.rules, numbers), numbers)
            wanted |= {name: wanted.get(name, NO_KIND) | {"invoice.received"} for name in sharing}
        self.wanted = {name: wanted[name] for name in self.cases if name in wanted}
        for name, kinds in self.wanted.items():
            self.cases[name].renew(kinds)

    def end(self) -> None:
        """Let go of the milestones' cases, which refer back to this one: what nobody looks at any more is then freed at
        once, the state with it, and need not be found by the collector of circles."""
        self.cases.clear()

    def stand_in(self, milestone: str) -> Case | None:
        """The contingency milestone that has taken over from this one: of several the one that was activated last, for
        one place is taken by one (rule D1)."""
        known = [self.cases[name] for name in self.index.stand_ins.get(milestone, ())]
        activated = [(at, case) for case in known if (at := activated_at(case)) is not None]
        return max(activated, key=lambda one: one[0])[1] if activated else None

    def is_met(self, milestone: str) -> bool:
        """Whether a precursor is met, by itself, by its stand-in, or by all that replace it (rules D1, D2)."""
        if milestone not in self.index.milestones:
            heirs = successors(self.plan, milestone)
            return bool(heirs) and all(map(self.is_met, heirs))
        return (self.stand_in(milestone) or self.cases[milestone]).met

"""A contract as the outlook sees it: its decided case, and the network of the milestones that count."""

from __future__ import annotations

from datetime import date

from contracts_schema.plan import Milestone
from services.outlook.days import Days
from services.outlook.network import Network, Node
from services.reconciliation.case import Case, in_force
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.crosswalk import index_of, successors
from services.reconciliation.decide import decide
from services.reconciliation.policy import Rules
from services.reconciliation.state import State


class Picture:
    """One contract on one day. `stands_in` names contingency milestones that are taken as if they were in force."""

    def __init__(self, contract: ContractCase, today: date) -> None:
        self.contract = contract
        self.plan = contract.plan
        self.today = today
        self.days = Days(contract.plan.calendar)
        self.counting: list[Case] = [case for case in contract.cases.values() if in_force(case)]
        self.network = self._network({})

    def _network(self, instead: dict[str, str]) -> Network:
        counting = [self.contract.cases[instead.get(c.milestone.id, c.milestone.id)] for c in self.counting]
        names = {case.milestone.id for case in counting}
        return Network((self._node(case, names, instead) for case in counting), self.days, self.today)

    def with_stand_in(self, name: str) -> Network:
        """The network as it would be if a contingency milestone took over."""
        original = self.plan_of(name).contingency_for
        assert original is not None  # noqa: S101 -- callers ask only for contingency milestones
        return self._network({original: name})

    def plan_of(self, name: str) -> Milestone:
        """A milestone of the plan in force."""
        return self.contract.index.milestones[name]

    def _node(self, case: Case, names: set[str], instead: dict[str, str]) -> Node:
        m, met_on = case.milestone, case.completion.met_on if case.met else None
        own = case.forecast.value or m.due or case.due.value
        after = dict.fromkeys(one for before in m.after for one in self._counted(before, instead) if one in names)
        after.pop(m.id, None)
        return Node(m.id, own, met_on, m.due, m.tolerance_days, tuple(after))

    def _counted(self, name: str, instead: dict[str, str]) -> list[str]:
        """The milestones that count for one that is named: itself, its stand-in, or all that replace it."""
        if name not in self.contract.index.milestones:
            return [one for heir in successors(self.plan, name) for one in self._counted(heir, instead)]
        if name in instead:
            return [instead[name]]
        stand_in = self.contract.stand_in(name)
        return [stand_in.milestone.id if stand_in else name]

    def waiting_stand_ins(self) -> list[str]:
        """Contingency milestones that nobody has activated, for milestones that count and are not met."""
        open_ones = {case.milestone.id for case in self.counting if not case.met}
        waiting = {name: case.milestone for name, case in self.contract.cases.items()}
        counted = {case.milestone.id for case in self.counting}
        return [name for name, m in waiting.items() if name not in counted and m.contingency_for in open_ones]


def picture(state: State, rules: Rules, today: date) -> Picture | None:
    """The picture of a contract; None where no version is in force, or where it cannot be decided."""
    if state.in_force == 0 or state.frozen is not None:
        return None
    contract = ContractCase(state, index_of(state.plans[state.in_force].plan), state.moment, rules)
    decide(contract)
    return Picture(contract, today)

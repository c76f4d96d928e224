"""What the house asks of a registration beyond its own sense: names by its standard, and names that the configuration
knows. Checked before anything is sent; the worker asks only for sense."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from contracts_schema.faults import Fault, fault
from contracts_schema.faults import Path as Place
from contracts_schema.plan import Milestone, Plan
from contracts_schema.records import ROLES
from contracts_schema.template import nearest
from services.reconciliation.admission import approval_fault
from services.settings import Naming, Settings
from services.wiring.templates import Templates


class Judgement(NamedTuple):
    """What forbids to register a plan, and what people should only know."""

    faults: list[Fault]
    warnings: list[Fault]


class House:
    """The house that registers: its templates, its names, its people and systems; all of it empty without a
    configuration."""

    def __init__(self, settings: Settings | None, source: str = "") -> None:
        self.settings = settings
        self.source = source
        folder = settings.templates if settings else None
        self.templates = Templates(Path(folder) if folder else None)

    def judge(self, plan: Plan) -> Judgement:
        """What the house says to a plan that makes sense."""
        if self.settings is None:
            return Judgement([], [])
        named = [*name_faults(self.settings.naming, plan)]
        known = [*_unknown_names(self.settings, plan), *_approval(self.settings, self.source, plan)]
        odd = [*_unknown_refs(self.settings, plan)]
        refuses = self.settings.naming.policy == "refuse"
        return Judgement(known + named, odd) if refuses else Judgement(known, odd + named)


def house_faults(settings: Settings) -> list[str]:
    """What is wrong with the house's own templates: files that cannot be read, and names that its standard refuses."""
    templates = House(settings).templates
    faults = templates.faults()
    for template in templates.own() if not faults else ():
        plan = _as_plan(template.content)
        faults += [f"{template.path}: {fault.sentence}" for fault in name_faults(settings.naming, plan)]
    return faults


def _as_plan(content: dict[str, Any]) -> Plan:
    """What of a template has names, as the standard looks at it."""
    milestones = tuple(
        Milestone(
            str(m["id"]), str(m.get("title", "")), m.get("kind", "payment"), requires=tuple(m.get("requires", ())),
            deliverables=tuple(m.get("deliverables", ())),
        )
        for m in content["milestones"]
    )  # fmt: skip
    return Plan("", 1, "", "", "", "", milestones)


def name_faults(naming: Naming, plan: Plan) -> Iterator[Fault]:
    """Every name that does not fit the standard of the house, with the words that explain it."""
    for rule in naming.rules:
        fits = re.compile(rule.pattern).search
        for path, name, kind in _names(plan, rule.of):
            if rule.kind in (None, kind) and not fits(name):
                yield fault(path, f"{name!r} does not fit the naming standard: {rule.explanation}")


def _names(plan: Plan, of: str) -> Iterator[tuple[Place, str, str | None]]:
    if of == "contract" and plan.contract:  # a template has none
        yield ("contract",), plan.contract, None
    elif of == "amendment" and plan.amendment is not None:
        yield ("amendment", "id"), plan.amendment.id, None
    for milestone in plan.milestones:
        for path, name in _milestone_names(milestone, of):
            yield path, name, milestone.kind


def _milestone_names(m: Milestone, of: str) -> Iterator[tuple[Place, str]]:
    at: Place = ("milestones", m.id)
    if of == "milestone":
        yield (*at, "id"), m.id
    elif of == "title":
        yield (*at, "title"), m.title
    elif of == "deliverable":
        for n, part in enumerate(m.deliverables):
            yield (*at, "deliverables", n), part["name"]
    elif of == "evidence":
        for n, proof in enumerate(m.requires):
            if proof.startswith("evidence:"):
                yield (*at, "requires", n), proof.removeprefix("evidence:")


def _unknown_names(settings: Settings, plan: Plan) -> Iterator[Fault]:
    """Sources that are to be believed, and the system that is to pay: one that does not exist would never act."""
    sources = settings.source_table()
    for field, names in plan.authority.items():
        for n, name in enumerate(names):
            if name not in sources and name not in ROLES:
                text = f"{name!r} is neither a source nor a role; {nearest(name, [*sources, *ROLES])}"
                yield fault(("authority", field, n), text)
    if plan.finance is not None and settings.finance and plan.finance not in settings.finance:
        text = f"{plan.finance!r} is no finance system of the configuration; {nearest(plan.finance, settings.finance)}"
        yield fault(("finance",), text)


def _unknown_refs(settings: Settings, plan: Plan) -> Iterator[Fault]:
    """Keys of systems that do not speak yet: nothing will be found under them."""
    sources = settings.source_table()
    places: list[tuple[Place, str]] = [(("refs", name), name) for name in plan.refs]
    places += [(("milestones", m.id, "refs", name), name) for m in plan.milestones for name in m.refs]
    for path, name in places:
        if name not in sources:
            yield fault(path, f"{name!r} is no source of the configuration; {nearest(name, sources)}")


def _approval(settings: Settings, source: str, plan: Plan) -> Iterator[Fault]:
    named = settings.model_copy(update={"pseudonyms": None})  # as the plan names persons
    sentence = approval_fault(source, plan, named.rules())
    if sentence:
        yield Fault(("amendment", "approved_by"), sentence)

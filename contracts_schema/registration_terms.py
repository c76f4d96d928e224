"""What can be wrong with the terms of a contract: retention, advance, sign-off, rates (rules B4, C4, C5, D3, D4)."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from fractions import Fraction

from contracts_schema.faults import Fault, Path, fault, shown, twice
from contracts_schema.money import decimals
from contracts_schema.registration_document import Rate, Registration, Retention, SignOff


def terms_faults(r: Registration, names: Collection[str]) -> Iterator[Fault]:
    """Everything that can be wrong with the terms beside their amounts."""
    if r.retention:
        yield from _retention_faults(r.retention, names)
    if r.advance and not Fraction(r.advance.recoup_percent):
        yield fault(("advance", "recoup_percent"), "at 0 percent the advance never comes back (rule C5)")
    yield from _sign_off_faults(r.sign_off)
    yield from _rate_faults(r.rates, r.currency)


def _retention_faults(retention: Retention, names: Collection[str]) -> Iterator[Fault]:
    steps = retention.steps
    if retention.release_on and retention.release_on not in names:
        text = f"{retention.release_on!r} is no milestone of the plan (rule B4)"
        yield fault(("retention", "release_on"), text)
    if retention.defects_days and not retention.release_on:
        text = "they begin when a milestone is met; name it in release_on (rule C4)"
        yield fault(("retention", "defects_days"), text)
    for n, step in enumerate(steps):
        at: Path = ("retention", "steps", n)
        if step.until_percent is None and n < len(steps) - 1:
            yield fault(at, "only the last step may leave out until_percent")
        if step.until_percent is not None and not Fraction(step.until_percent):
            yield fault((*at, "until_percent"), f"{step.until_percent} ends before the contract has begun")
    for n, (a, b) in enumerate(itertools.pairwise(steps), 1):
        at = ("retention", "steps", n)
        if Fraction(b.rate_percent) > Fraction(a.rate_percent):
            rates = f"{b.rate_percent} is more than {a.rate_percent}"
            yield fault((*at, "rate_percent"), f"{rates}; rates may not rise (rule B4)")
        if a.until_percent and b.until_percent and Fraction(b.until_percent) <= Fraction(a.until_percent):
            text = f"{b.until_percent} does not lie after {a.until_percent}; steps may not overlap"
            yield fault((*at, "until_percent"), text)
        if a.until_percent and not b.until_percent and Fraction(a.until_percent) >= 100:
            yield fault(at, f"the step before reaches {a.until_percent} percent; nothing is left for this one")
    if steps[0].returns_percent:
        yield fault(("retention", "steps", 0, "returns_percent"), "nothing was kept before the first step")


def _sign_off_faults(s: SignOff) -> Iterator[Fault]:
    yield from twice(("sign_off", "roles"), s.roles, "role")
    for n, a in enumerate(s.authority):
        at: Path = ("sign_off", "authority", n)
        if a.from_ and a.until and a.until < a.from_:
            yield fault((*at, "until"), f"{a.until} lies before {a.from_}, when the authority of {a.person!r} begins")
        if s.roles and a.role not in s.roles:
            yield fault((*at, "role"), f"{a.role!r} is none of the roles that sign ({', '.join(s.roles)}) (rule D4)")
    persons = {a.person for a in s.authority if not s.roles or a.role in s.roles}
    if s.authority and len(persons) < s.quorum:
        text = f"{s.quorum} persons must sign and {len(persons)} are entitled; it can never be reached (rule D4)"
        yield fault(("sign_off", "quorum"), text)


def _rate_faults(rates: list[Rate], currency: str) -> Iterator[Fault]:
    seen: set[tuple[str, object]] = set()
    for n, rate in enumerate(rates):
        at: Path = ("rates", n)
        try:
            decimals(rate.from_)
        except ValueError as error:
            yield fault((*at, "from"), str(error))
        if rate.from_ == currency:
            yield fault((*at, "from"), f"{currency} is the contract's own currency (rule D3)")
        if not Fraction(rate.rate):
            yield fault((*at, "rate"), f"a unit of {rate.from_} would be worth nothing (rule D3)")
        if (rate.from_, rate.valid_from) in seen:
            yield Fault(at, f"{shown(at)}: two rates of {rate.from_} begin on {rate.valid_from} (rule D3)")
        seen.add((rate.from_, rate.valid_from))

"""Registrations of one contract, drawn from a seed: a first plan with any of the terms that there are, and later ones.

What they draw from the generator, and in which order, is a part of every history that a seed stands for.
"""

from builders import a_contract, a_milestone, an_amendment, registered

from contracts_schema.plan import Plan
from contracts_schema.registration import check_registration

PROOFS = ("met", "received", "signed_off", "invoiced", "evidence:fat")
DECIMALS = {"EUR": 2, "JPY": 0, "KWD": 3, "USD": 2, "GBP": 2}


def money(minor, currency):
    """Money on the wire."""
    return {"amount": amount(minor, currency), "currency": currency}


def amount(minor, currency):
    """Minor units as the currency writes them."""
    digits = DECIMALS[currency]
    text = f"{abs(minor):0{digits + 1}d}"
    sign = "-" if minor < 0 else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


class World:
    """What the teller knows: the newest plan, its versions, and the names that were replaced."""

    def __init__(self):
        self.plan = None
        self.versions = 0
        self.currency = "EUR"
        self.retired = set()  # names that were replaced; what is new has a name of its own (rule E3)

    @property
    def names(self):
        return [m["id"] for m in self.plan["milestones"]]

    def milestone(self, name):
        return next(m for m in self.plan["milestones"] if m["id"] == name)


def once_in(rng, times):
    """True about once in so many times."""
    return rng.randrange(times) == 0


# -- version 1 ---------------------------------------------------------------------------------------------------------


def first_plan(rng, world):
    """Version 1, and one that is not refused."""
    while not is_accepted(plan := a_first_plan(rng, world)):
        pass
    world.plan, world.versions = plan, 1
    return registered(plan)


def is_accepted(plan):
    """Whether the plan makes sense by itself."""
    return isinstance(check_registration(plan), Plan)


def a_first_plan(rng, world):
    """Up to four milestones with any of the terms that contracts have."""
    world.currency = rng.choice(["EUR", "EUR", "EUR", "JPY", "KWD"])
    names = [f"M{n}" for n in range(1, rng.choice([1, 2, 2, 3, 3, 4]) + 1)]
    milestones = [milestone(rng, name, names, world.currency) for name in names]
    for m in milestones:
        if once_in(rng, 8):
            value = int(m["value"].replace(".", ""))
            part = rng.choice([value, max(1, value // 2), 1])
            m["opening"] = {"released": amount(part, world.currency), "as_of": rng.choice(["2026-02-10", "2026-02-25"]),
                            "reference": "B-7", "approved_by": "anna"}  # fmt: skip
    return a_contract(*milestones, currency=world.currency, **terms(rng, milestones, world.currency))


def milestone(rng, name, names, currency):
    """A payable milestone, now and then one that waits for, or stands in for, an earlier one."""
    earlier = names[: names.index(name)] if name in names else []
    requires, more = rng.sample(PROOFS, rng.choice([1, 1, 2, 2, 3])), {}
    if earlier and once_in(rng, 4):
        more["after"] = [rng.choice(earlier)]
    if earlier and once_in(rng, 8):
        more["contingency_for"] = earlier[0]
    if earlier and once_in(rng, 8):
        requires.append(f"on_time:{earlier[0]}")
    if once_in(rng, 8):
        requires.append(rng.choice(["measure:defects<=0.02", "measure:yield>0.9"]))
    if once_in(rng, 8):
        requires.append("evidence:sat")
    if once_in(rng, 4):
        more["late_damages"] = {"percent_per_day": rng.choice(["0.1", "7"]), "cap_percent": rng.choice(["10", "100"])}
        more["tolerance_days"] = rng.choice([0, 0, 2])
    if once_in(rng, 5):
        more |= {"quantity": "3", "unit": "u"}
    value = amount(rng.choice([10000, 10000, 9999, 1, 33333, 7]), currency)
    refs = {"erp": [f"line:{name}"], "pm": [f"issue:{name}"], "ubl": [f"order:PO-1/{name}"]}
    if once_in(rng, 4):
        refs |= {"erp": [f"line:{name}", f"line:{name}b"], "pm": [f"issue:{name}", f"issue:{name}b", f"version:{name}"]}
    due = rng.choice(["2026-02-25", "2026-03-01", "2026-03-10", "2026-06-30"])
    return a_milestone(name, value, requires=requires, due=due, refs=refs if rng.random() < 0.7 else {}, **more)


def terms(rng, milestones, currency):
    """The contract's own terms, each now and then."""
    steps = [
        [{"rate_percent": "10"}], [{"rate_percent": "7.77"}],
        [{"until_percent": "50", "rate_percent": "10"}, {"rate_percent": "5", "returns_percent": "50"}],
        [{"until_percent": "33.3", "rate_percent": "7"}, {"until_percent": "80", "rate_percent": "3"}],
        [{"until_percent": "20", "rate_percent": "10"}, {"until_percent": "60", "rate_percent": "5",
          "returns_percent": "30"}, {"rate_percent": "0", "returns_percent": "50"}],
    ]  # fmt: skip
    paid = [m["id"] for m in milestones]
    chosen = {
        "retention": {"steps": rng.choice(steps)} | rng.choice([
            {}, {"cap": amount(700, currency)}, {"release_on": paid[-1], "defects_days": 3}, {"release_on": paid[0]}]),
        "advance": {"amount": amount(rng.choice([3000, 500]), currency), "recoup_percent": rng.choice(["20", "33.33"])},
        "value_cap": amount(rng.choice([12000, 40000]), currency),
        "compliance": ["insurance"],
        "sign_off": sign_off_terms(rng, currency),
        "authority": rng.choice([
            {"completion": ["erp", "pm"]}, {"invoice": ["supplier_portal", "finance"]}, {"received": ["portal", "erp"]},
            {"value": ["pm", "erp"]}, {"completion": ["pm", "erp"], "received": ["supplier_portal"]}]),
        "rates": [{"from": "USD", "rate": "0.92", "valid_from": "2026-01-01"},
                  {"from": "USD", "rate": "0.5", "valid_from": "2026-02-25"}],
        "hold_on_conflict": rng.choice([[], ["completion", "invoice", "received"], ["value", "due", "forecast"]]),
        "refs": {"erp": ["order:1"], "pm": ["project:1"], "ubl": ["order:PO-1"]},
        "rounding_band": amount(rng.choice([0, 5, 500]), currency),
        "supplier": {"id": "SUP-1", "identifiers": ["DE1"]},
    }  # fmt: skip
    kept = {name: value for name, value in chosen.items() if once_in(rng, 4)}
    if once_in(rng, 25):
        kept["status"] = rng.choice(["draft", "suspended", "closed"])
    return kept | {"timezone": rng.choice(["UTC", "Europe/Berlin", "Pacific/Auckland", "America/New_York"])}


def sign_off_terms(rng, currency):
    """Who may sign: a quorum, roles, or authority with limits."""
    entitled = [{"person": "jane", "role": "site-manager", "up_to": amount(9999, currency), "from": "2026-01-01"},
                {"person": "joe", "role": "buyer", "until": "2026-02-27"}]  # fmt: skip
    return rng.choice([{"quorum": 2}, {"roles": ["site-manager"]}, {"authority": entitled},
                       {"quorum": 2, "authority": entitled}])  # fmt: skip


# -- later versions ----------------------------------------------------------------------------------------------------


def amended_plan(rng, world):
    """A later version, mostly one that makes sense; what is refused changes nothing."""
    world.versions += 1
    retired = set(world.retired)
    for _ in range(8):
        plan = an_amended_plan(rng, world)
        if is_accepted(plan):
            world.plan = plan
            return registered(plan)
        world.retired = set(retired)
    world.versions -= 1
    return registered(plan)


def an_amended_plan(rng, world):
    """Values, keys, terms or milestones change; or a milestone is split, merged, removed, comes new."""
    before = world.plan
    milestones = [{k: v for k, v in copied(m).items() if k not in ("replaces", "opening")}
                  for m in before["milestones"]]  # fmt: skip
    change = rng.choice([revalued, rekeyed, split, split, merged, removed, added, unchanged, unchanged])
    milestones = change(rng, world, milestones)
    names = {m["id"] for m in milestones} | {x for m in milestones for x in m.get("replaces", ())}
    for m in milestones:
        m["after"] = [x for x in m.get("after", ()) if x in names]
        if m.get("contingency_for") not in {x["id"] for x in milestones}:
            m.pop("contingency_for", None)
        m["requires"] = [p for p in m["requires"] if not p.startswith("on_time:") or p[8:] in names] or ["met"]
        m["requires"] = [p for p in m["requires"] if p[8:] not in world.retired] or ["met"]
    later = [{}, {}, {"effective_from": "2026-03-05"}, {"effective_from": "2026-03-12"}, {"state": "proposed"}]
    amendment = an_amendment(id=f"A-{world.versions}", **rng.choice(later))
    kept = {k: v for k, v in before.items() if k not in ("milestones", "amendment", "version")}
    if change is unchanged:
        kept = {
            k: v for k, v in kept.items() if k in ("contract", "title", "buyer", "supplier", "currency", "timezone")
        }
        kept |= {k: v for k, v in terms(rng, milestones, world.currency).items() if k != "timezone"}
    if kept.get("retention", {}).get("release_on") not in {None, *(m["id"] for m in milestones)}:
        kept.pop("retention")
    return kept | {"version": world.versions, "amendment": amendment, "milestones": milestones}


def copied(m):
    """A milestone of one's own."""
    return {k: list(v) if isinstance(v, list) else v for k, v in m.items()}


def unchanged(rng, world, milestones):
    return milestones


def revalued(rng, world, milestones):
    rng.choice(milestones)["value"] = amount(rng.choice([12000, 5000, 9999]), world.currency)
    return milestones


def rekeyed(rng, world, milestones):
    """Keys move from one milestone to another."""
    one, other = rng.choice(milestones), rng.choice(milestones)
    one["refs"], other["refs"] = other.get("refs", {}), one.get("refs", {})
    return milestones


def split(rng, world, milestones):
    """One milestone becomes two, which together are worth as much, more, or less."""
    old = milestones.pop(rng.randrange(len(milestones)))
    world.retired.add(old["id"])
    value = int(old["value"].replace(".", ""))
    parts = rng.choice([(value // 2, value - value // 2), (value, value), (1, max(1, value // 3))])
    heirs = []
    for n, part in enumerate(parts):
        name = f"{old['id']}{'ab'[n]}{world.versions}"
        heir = milestone(rng, name, [name], world.currency)
        refs = old.get("refs", {}) if n == 0 else {}
        heirs.append(heir | {"value": amount(max(1, part), world.currency), "replaces": [old["id"]], "refs": refs})
    return milestones + heirs


def merged(rng, world, milestones):
    """Two milestones become one."""
    if len(milestones) < 2:
        return milestones
    first, second = milestones.pop(0), milestones.pop(0)
    world.retired |= {first["id"], second["id"]}
    name = f"{first['id']}m{world.versions}"
    value = sum(int(m["value"].replace(".", "")) for m in (first, second))
    heir = milestone(rng, name, [name], world.currency)
    refs = {source: [*first.get("refs", {}).get(source, ()), *second.get("refs", {}).get(source, ())]
            for source in ("erp", "pm", "ubl")}  # fmt: skip
    return [heir | {"value": amount(value, world.currency), "replaces": [first["id"], second["id"]], "refs": refs},
            *milestones]  # fmt: skip


def removed(rng, world, milestones):
    if len(milestones) > 1:
        milestones.pop(rng.randrange(len(milestones)))
    return milestones


def added(rng, world, milestones):
    name = f"N{world.versions}"
    return [*milestones, milestone(rng, name, [name], world.currency)]


def approved(world):
    """The newest version again, its amendment approved (rule B3)."""
    amendment = world.plan.get("amendment")
    if amendment is None or amendment["state"] == "approved":
        return None
    world.plan = world.plan | {"amendment": amendment | {"state": "approved"}}
    return registered(world.plan)


def contradicting_plan(world):
    """The newest version once more with another title (rule A2)."""
    return registered(world.plan | {"title": "Another hall"})

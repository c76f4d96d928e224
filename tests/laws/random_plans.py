"""Random registrations: up to three milestones with any of the terms that contracts have."""

from builders import a_contract, a_milestone, an_amendment
from hypothesis import strategies as st
from laws.chances import NAMES, few, half, money, rarely


@st.composite
def plans(draw, version=1, *, replaces=False, openings=False, currency=None):
    """A registration of up to three milestones with any of the terms that contracts have."""
    currency = currency or draw(few(["EUR", "EUR", "EUR", "JPY", "KWD"]))
    names = [n for n in NAMES if not rarely(draw, 3)] or ["M1"]
    milestones = [draw(milestone(n, names, currency)) for n in names]
    if replaces and "M1" in names and version > 1 and draw(st.booleans()):
        milestones = [m for m in milestones if m["id"] != "M1" and "M1" not in str(m | {"after": []})] or [
            draw(milestone("M4", ["M4"], currency))
        ]
        milestones[0]["replaces"] = ["M1"]
    for terms_of in milestones:
        if openings and rarely(draw, 3):
            paid = terms_of["value"] if rarely(draw, 4) else draw(few([money(1, currency), half(terms_of["value"])]))
            day = draw(few(["2026-02-10", "2026-02-25"]))
            terms_of["opening"] = {"released": paid, "as_of": day, "reference": "B-7", "approved_by": "anna"}
    return a_contract(*milestones, version=version, currency=currency, **draw(terms(milestones, currency, version)))


@st.composite
def milestone(draw, name, names, currency):
    proofs = ["met", "received", "signed_off", "invoiced", "evidence:fat"]
    requires = draw(st.lists(few(proofs), min_size=1, max_size=3, unique=True))
    earlier = names[: names.index(name)]
    more = {}
    if earlier and rarely(draw, 4):
        more["after"] = [earlier[-1]]
    if earlier and rarely(draw, 6):
        more["contingency_for"] = earlier[0]
    if earlier and rarely(draw, 6):
        requires += [f"on_time:{earlier[0]}"]
    if rarely(draw, 6):
        requires += ["measure:defects<=0.02"]
    if rarely(draw, 3):
        more["late_damages"] = {"percent_per_day": draw(few(["0.1", "7"])), "cap_percent": "10"}
    if rarely(draw, 5):
        more |= {"quantity": "3", "unit": "u"}
    value = draw(few([money(10000, currency), money(9999, currency), money(1, currency), money(33333, currency)]))
    due = draw(few(["2026-03-01", "2026-03-10", "2026-06-30"]))
    refs = {"erp": [f"line:{name}"], "pm": [f"issue:{name}"]} if draw(st.booleans()) else {}
    return a_milestone(name, value, requires=requires, due=due, refs=refs, **more)


@st.composite
def terms(draw, milestones, currency, version):
    chosen = {}
    worth = sum(int(m["value"].replace(".", "")) for m in milestones if "contingency_for" not in m)
    if rarely(draw, 3):
        steps = draw(
            few(
                [
                    [{"rate_percent": "10"}],
                    [{"until_percent": "50", "rate_percent": "10"}, {"rate_percent": "5", "returns_percent": "50"}],
                    [{"until_percent": "33.3", "rate_percent": "7"}, {"until_percent": "80", "rate_percent": "3"}],
                ]
            )
        )
        chosen["retention"] = {"steps": steps} | draw(
            few(
                [{}, {"cap": money(min(700, worth), currency)}, {"release_on": milestones[-1]["id"], "defects_days": 3}]
            )
        )
    if rarely(draw, 4):
        chosen["advance"] = {"amount": money(min(3000, worth), currency), "recoup_percent": "20"}
    if rarely(draw, 4):
        chosen["value_cap"] = money(12000, currency)
    if rarely(draw, 4):
        chosen["compliance"] = ["insurance"]
    if rarely(draw, 4):
        chosen["sign_off"] = {"quorum": 2, "roles": ["site-manager"]}
    if rarely(draw, 5):
        chosen["authority"] = draw(few([{"completion": ["erp", "pm"]}, {"invoice": ["supplier_portal", "finance"]}]))
    if rarely(draw, 4):
        chosen["rates"] = [{"from": "USD", "rate": "0.92", "valid_from": "2026-01-01"}]
    if rarely(draw, 4):
        chosen["hold_on_conflict"] = draw(few([[], ["completion", "invoice", "received"], ["value", "due"]]))
    if rarely(draw, 5):
        chosen["refs"] = {"erp": ["order:1"]}
    if rarely(draw, 9):
        chosen["status"] = draw(few(["draft", "suspended", "terminated", "closed"]))
    chosen["timezone"] = draw(few(["UTC", "Europe/Berlin", "Pacific/Auckland"]))
    if version > 1:
        when = draw(few([{}, {"effective_from": "2026-03-05"}]))
        state = draw(few([{}, {}, {"state": "proposed"}]))
        chosen["amendment"] = an_amendment(id=f"A-{version}", **when, **state)
    return chosen

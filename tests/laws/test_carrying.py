"""Law 10, in change control: over any chain of versions no minor unit is lost, and none is released twice (rule E3).

A contract is made of lines, each with a key, a value and invoices of its own. Every version cuts the lines into other
milestones: split, merged, renamed, left as they are. A version may never come into force, or be taken back later.
"""

from builders import Story, a_contract, a_milestone, an_amendment, invoice, registered
from hypothesis import given
from hypothesis import strategies as st
from laws.profiles import tried

LINES = 4
values = st.lists(st.integers(1, 9_999), min_size=LINES, max_size=LINES)


def money(minor):
    return f"{minor // 100}.{minor % 100:02d}"


class Contract:
    """What was registered and invoiced, and how the lines are cut now."""

    def __init__(self, worth, opening):
        self.worth, self.left = worth, list(worth)
        self.invoiced = self.opened = self.count = 0
        self.old = True
        self.version, self.cut, self.cuts, self.states = 1, {"V1-0": tuple(range(LINES))}, {}, {}
        terms = {}
        if opening:
            self.opened = sum(worth) // 3
            terms = {"released": money(self.opened), "as_of": "2026-01-31", "reference": "B", "approved_by": "anna"}
        self.opening = {"opening": terms} if terms else {}
        self.story = Story().tell(registered(a_contract(*self.milestones({}))))
        self.remember("approved")

    def milestones(self, before):
        return [
            a_milestone(
                name, money(sum(self.worth[n] for n in lines)), requires=["invoiced"],
                refs={"portal": [f"line:{n}" for n in lines]},
                **({"replaces": [old for old, had in before.items() if old not in self.cut and {*had} & {*lines}]}
                   if name not in before and before else {}),
                **(self.opening if name == "V1-0" else {}),
            )
            for name, lines in self.cut.items()
        ]  # fmt: skip

    def remember(self, state):
        self.cuts[self.version], self.states[self.version] = dict(self.cut), state

    def amend(self, groups, state):
        before, self.version = dict(self.cut), self.version + 1
        self.cut = {}
        for n in sorted(set(groups)):
            lines = tuple(at for at, group in enumerate(groups) if group == n)
            same = next((name for name, had in before.items() if had == lines), None)
            self.cut[same or f"V{self.version}-{n}"] = lines
        self.documents = getattr(self, "documents", {})
        self.documents[self.version] = self.milestones(before)
        self.say(self.version, state)
        self.remember(state)

    def say(self, version, state):
        plan = a_contract(
            *self.documents[version], version=version, amendment=an_amendment(id=f"A-{version}", state=state)
        )
        self.story.tell(registered(plan))

    def invoice(self, line, share, old):
        net = self.left[line] if share == 3 else self.left[line] * share // 3
        if net:
            self.left[line] -= net
            self.invoiced += net
            # Each is newer than those before: an older one that came late would be filled first (rule E2).
            self.old, self.count = self.old and old, self.count + 1
            day = "2026-01-15" if self.old else "2026-02-15"
            number = f"I-{self.count:03}"
            self.story.tell(invoice(money(net), number, key=f"line:{line}", issued_on=day))

    def released(self):
        return sum(m.released for m in self.story.state().milestones.values())


steps = st.one_of(
    st.tuples(st.just("invoice"), st.integers(0, LINES - 1), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("amend"), st.lists(st.integers(0, 2), min_size=LINES, max_size=LINES),
              st.sampled_from(["approved", "approved", "approved", "proposed"])),
    st.tuples(st.just("take back")),
    st.tuples(st.just("approve")),
)  # fmt: skip


def carry_out(contract, step):
    what, *how = step
    if what == "invoice":
        contract.invoice(*how)
    elif what == "amend":
        contract.amend(*how)
    elif contract.version > 1:
        wanted = "rejected" if what == "take back" else "approved"
        if contract.states[contract.version] != wanted:
            contract.say(contract.version, wanted)
            contract.states[contract.version] = wanted


@given(values, st.booleans(), st.lists(steps, min_size=2, max_size=9))
@tried(120)
def test_a_change_of_the_plan_neither_loses_nor_doubles_a_minor_unit(worth, opening, chain):
    contract = Contract(worth, opening)
    for step in chain:
        before = contract.released()
        carry_out(contract, step)
        after = contract.released()
        # A change of the plan lets what was invoiced count elsewhere; it takes nothing back and pays nothing twice.
        assert after >= before
        assert after <= max(contract.invoiced, contract.opened, before) + contract.opened
        assert payable(contract) + contract.opened == contract.released()
        assert payable(contract) <= contract.invoiced
    assert not contract.story.quarantined
    assert not contract.story.defects


def payable(contract):
    """What finance was told to pay to date, invoice by invoice: the most that any command let be paid of each."""
    paid = {}
    for command in contract.story.commands:
        for target in command["targets"]:
            minor = int(target["payable_to_date"]["amount"].replace(".", ""))
            place = (command["milestone"], target["invoice"])
            paid[place] = max(paid.get(place, 0), minor)
    by_invoice = {}
    for (_, number), minor in paid.items():
        by_invoice[number] = by_invoice.get(number, 0) + minor
    for number, minor in by_invoice.items():
        assert minor <= net_of(contract, number), f"{number} is paid twice"
    return sum(by_invoice.values())


def net_of(contract, number):
    slots = contract.story.state().slots.values()
    return max(s.body.net.minor for s in slots if s.kind == "invoice.received" and s.body.number == number)

"""Invoices: one document told by several systems, what of it falls on each milestone, and what of that counts
(rules B7, C3, D3, D8, F4)."""

from fractions import Fraction
from typing import NamedTuple

from model.known import order, plain


class Part(NamedTuple):
    """What of one invoice falls on one milestone, in the word of the highest authority."""

    number: str
    supplier: str
    issued_on: object
    state: str
    net: int
    currency: str
    by: frozenset
    mixed: bool  # its facts are in several currencies
    counts: bool
    worth: Fraction  # in the contract's currency, where it counts


class Invoices:
    """All invoices of a contract."""

    def __init__(self, situation):
        self.s = situation
        self.plan = situation.plan
        told = [w for w in situation.words if w.newest.kind == "invoice.received"]
        self.aside = [w for w in told if situation.rank("invoice", w.source) is None]  # shown, never used (A8)
        self.groups = self.one_invoice_across_sources([w for w in told if w not in self.aside])

    # -- which words are of one invoice --------------------------------------------------------------------------------

    def one_invoice_across_sources(self, words):
        """C3: the same number and a common identifier of the supplier; then the business unit."""
        by_supplier = []
        for word in words:
            same = [g for g in by_supplier if any(self.same_supplier(word, other) for other in g)]
            joined = [word, *(other for g in same for other in g)]
            by_supplier = [g for g in by_supplier if g not in same] + [joined]
        return [g for group in by_supplier for g in self.by_unit(group)]

    def same_supplier(self, one, other):
        if plain("number", one.body.number) != plain("number", other.body.number):
            return False
        return bool(self.names(one) & self.names(other))

    def names(self, word):
        """Every identifier of a supplier; all those of the contract's supplier are one (B7)."""
        found = {word.body.supplier, *(word.field("supplier_identifiers") or ())}
        ours = {self.plan.supplier, *self.plan.supplier_identifiers}
        return found | ours if found & ours else found

    def by_unit(self, group):
        """C3: a word without a business unit is of the only one stated; where two are stated it is nobody's."""
        units = {word.field("business_unit") for word in group} - {None}
        if len(units) < 2:
            return [group]
        return [[w for w in group if w.field("business_unit") == unit] for unit in sorted(units)]

    # -- what of an invoice falls on a milestone -----------------------------------------------------------------------

    def parts(self, name):
        """E2's order: issue date, then number; among the same of both, business unit and supplier."""
        found = [(self.tie(group), part) for group in self.groups if (part := self.part(group, name))]
        return [part for tie, part in sorted(found, key=lambda x: (x[1].issued_on, x[1].number, x[0]))]

    def tie(self, group):
        unit = next((u for w in group if (u := w.field("business_unit"))), "")
        return unit, self.plan.supplier if self.ours(group) else min(n for w in group for n in self.names(w))

    def part(self, group, name):
        """C3, F4: the word of the highest authority counts once; its facts at several addresses add up."""
        mine = [w for w in group if name in w.milestones]
        best, told = self.believed(mine)
        if best is None:
            return None
        newest = max(told, key=lambda w: order(w.newest))
        nets = sums_of(w.body.net for w in told)
        currency = newest.body.net.currency
        part = Part(
            plain("number", newest.body.number), newest.body.supplier, newest.body.issued_on, newest.body.state,
            nets[currency], currency, frozenset(self.by(mine)), len(nets) > 1, False, Fraction(0),
        )  # fmt: skip
        worth = self.worth(part)
        gone = self.is_credit(mine, part) and self.credits_what_has_gone(newest)
        counts = self.stands(part) and self.ours(group) and worth is not None and not gone
        return part._replace(counts=counts, worth=worth if counts else Fraction(0))

    def believed(self, words):
        """The source of the highest authority, of equals that whose word is newest, and its words: of one source, one
        address and one invoice the newest one is its word (A1)."""
        newest = self.newest_words(words)
        spoken = {}
        for word in newest:
            spoken[word.source] = max(spoken.get(word.source, 0), word.time)
        best = self.s.highest("invoice", spoken)
        return best, [w for w in newest if w.source == best]

    def newest_words(self, words):
        """A1: at one address the newest word of a source is all that it says of the invoice."""
        return {(w.source, w.address): w for w in sorted(words, key=lambda w: order(w.newest))}.values()

    def named(self, name, number):
        """A8: what those who are believed say of invoices of a number, the newest word of the highest last."""
        told = [w for group in self.groups for w in group if number and name in w.milestones
                and plain("number", w.body.number) == plain("number", number)
                and self.s.rank("invoice", w.source) is not None]  # fmt: skip
        return sorted(told, key=lambda w: (-self.s.rank("invoice", w.source), order(w.newest)))

    def by(self, words):
        return [self.s.person(w.source, w.field("by")) for w in words if w.field("by")]

    def stands(self, part):
        return part.state in ("open", "paid")

    def ours(self, group):
        """B7: any identifier of the invoice's supplier is one of the contract's supplier."""
        return any({self.plan.supplier, *self.plan.supplier_identifiers} & self.names(w) for w in group)

    def worth(self, part):
        """D3: in the contract's currency, at the rate of the issue date; None without a rate, or in several at once."""
        rate = None if part.mixed else self.rate(part.currency, part.issued_on)
        return None if rate is None else part.net * rate

    def rate(self, currency, day):
        """What a minor unit of a currency is worth on a day."""
        if currency == self.plan.currency:
            return Fraction(1)
        rates = [r for r in self.plan.rates if r.from_ == currency and r.valid_from <= day]
        if not rates:
            return None
        rate = Fraction(max(rates, key=lambda r: r.valid_from).rate)
        return rate * Fraction(10) ** (decimals(self.plan.currency) - decimals(currency))

    def is_credit(self, words, part):
        """C3: a credit note is below zero, as a whole where a total is told."""
        totals = [t for w in self.newest_words(words) if (t := w.field("total"))]
        whole = max(totals, key=lambda t: (t.currency == part.currency, abs(t.minor), t), default=None)
        return (part.net if whole is None else whole.minor) < 0

    def credits_what_has_gone(self, word):
        """C3: a credit note counts until its credited invoices have been seen and no longer stand."""
        numbers = {plain("number", n) for n in word.field("credits") or ()}
        if not numbers:
            return False
        credited = [g for g in self.groups if plain("number", g[0].body.number) in numbers and self.ours(g)]
        seen = {plain("number", g[0].body.number) for g in credited}
        standing = [g for g in credited if any(self.stands_anywhere(g))]
        return seen == numbers and not standing

    def stands_anywhere(self, group):
        for name in {m for w in group for m in w.milestones}:
            told = self.believed([w for w in group if name in w.milestones])[1]
            if told:
                yield max(told, key=lambda w: order(w.newest)).body.state in ("open", "paid")

    # -- what follows --------------------------------------------------------------------------------------------------

    def standing(self, name):
        return [p for p in self.parts(name) if self.stands(p)]

    def counting(self, name):
        return [p for p in self.parts(name) if p.counts]

    def strangers(self, name):
        """B7: standing invoices of another supplier."""
        return [g for g in self.groups if (p := self.part(g, name)) and self.stands(p) and not self.ours(g)]

    def foreign(self, name):
        """D3: standing invoices in another currency without a rate."""
        return [p for p in self.standing(name) if self.worth(p) is None]

    def issuers(self, name):
        return {person for p in self.standing(name) for person in p.by}

    def changes_terms(self, name):
        """A3: one document at one address with other terms, by whatever name of its supplier, and no number since."""
        for group in self.groups:
            for place in {(w.source, w.address) for w in group if name in w.milestones}:
                said = sorted((x for w in group if (w.source, w.address) == place for x in w.facts), key=order)
                terms = {(x.body.net, x.body.issued_on) for x in said if x.version is None}
                if said[-1].version is None and len(terms) > 1:
                    return True
        return False

    def claimed_twice(self, name):
        """D8: the parts of one invoice add up to more than its total, or than its largest part; where they are in
        several currencies nobody can say that they do not."""
        for group in self.groups:
            parts = {m: p for m in self.s.milestones if (p := self.part(group, m)) and self.stands(p)}
            if name in parts and len(parts) > 1:
                totals = [
                    t for w in self.newest_words(group) if set(w.milestones) & set(parts) and (t := w.field("total"))
                ]
                coins = {p.currency for p in parts.values()}
                totals = [t for t in totals if t.currency in coins] or totals
                most = max(abs(t.minor) for t in totals) if totals else max(abs(p.net) for p in parts.values())
                coins |= {t.currency for t in totals}
                if len(coins) > 1 or abs(sum(p.net for p in parts.values())) > most:
                    return True
        return False

    def conflict(self, name):
        """A9: systems differ on the net of one invoice."""
        for group in self.groups:
            nets = {}
            here = [w for w in (*group, *self.shown_beside(group)) if name in w.milestones]
            for word in sorted(here, key=lambda w: order(w.newest)):
                sums = nets.setdefault(word.source, {})
                sums[word.address] = word.body.net
            said = {tuple(sorted(sums_of(x.values()).items())) for x in nets.values()}
            if len(said) > 1 and any(name in w.milestones for w in group):
                return True
        return False

    def shown_beside(self, group):
        """Words of the same number, of a supplier whom these name, and of no other unit."""
        names = {n for w in group for n in self.names(w)}
        units = {w.field("business_unit") for w in group} - {None}
        for word in self.aside:
            same = plain("number", word.body.number) == plain("number", group[0].body.number)
            unit = word.field("business_unit")
            known = {word.body.supplier, *(word.field("supplier_identifiers") or ())}
            if same and known & names and (not units or unit is None or unit in units):
                yield word


def sums_of(amounts):
    found = {}
    for money in amounts:
        found[money.currency] = found.get(money.currency, 0) + money.minor
    return found


def decimals(currency):
    """ISO 4217."""
    return {"JPY": 0, "KWD": 3}.get(currency, 2)

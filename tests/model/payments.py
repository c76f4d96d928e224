"""What was paid of a milestone against what may be (exceptions, D11), and what of each invoice may be (targets, E2)."""

from fractions import Fraction

from model.amounts import covers, over_received


def exceptions(s, m, released, over):
    """D11: what people must look at."""
    nets = [net_of(s, m, w) for w in s.believed("payment.made", m.id)]
    paid = sum(net for net in nets if net is not None)
    strange = None in nets  # in a currency that nobody can compare
    answers = [w.body for w in s.believed("command.acknowledged", m.id) if w.body.state == "rejected"]
    late = any((body.detail or "").startswith("HELD_TOO_LATE") for body in answers)
    found = {"OVER_RELEASED": over, "OVER_RECEIVED": "received" in m.requires and over_received(s, m.id),
             "PAID_WITHOUT_RELEASE": (paid > 0 or strange) and released == 0,
             "PAID_WHILE_HELD": released and (paid > released or strange),
             "HELD_TOO_LATE": late}  # fmt: skip
    return tuple(code for code, is_so in found.items() if is_so)


def net_of(s, m, word):
    """D11: a payment of a taxed invoice counts with its net; at the rate of the invoice, or of its own day (D3)."""
    amount, coin = word.body.amount
    named = s.invoices.named(m.id, word.body.invoice)
    day = named[-1].body.issued_on if named else word.body.paid_on
    taxed = [w for w in named if (gross := w.field("gross")) and gross.minor > 0 and gross.currency == coin]
    if taxed:
        amount = Fraction(amount * taxed[-1].body.net.minor, taxed[-1].field("gross").minor)
    rate = s.invoices.rate(coin, day)
    return (0 if amount <= 0 else None) if rate is None else int(amount * rate)


def targets(s, m, released, carried):
    """E2, E3: what was released, less what was carried, fills the counting invoices that it does not settle."""
    found, settled, rest = [], covers(s, m.id, carried), released - carried.out
    for p in s.invoices.standing(m.id):
        payable = 0
        if p.counts and p.currency == s.plan.currency:
            payable = max(0, min(rest, p.net - settled.get(p.number, 0)))
            rest -= payable
        state = "hold" if payable <= 0 else "free" if payable == p.net else "part"
        found.append((p.number, p.net, p.currency, payable, state))
    return tuple(found)

"""The core's positions in the model's words, and where the two differ."""

from model.book import Stand, without_repeats


def positions(story):
    """Every milestone of the story as the core sees it."""
    found = {}
    for name, standing in story.standings().items():
        p = standing.position
        found[name] = Stand(
            standing.status, p.value, p.released, p.held, p.allowed, p.carried or None,
            tuple((str(r.code), r.amount) for r in p.reasons), _fields_of(p.conflicts),
            tuple(str(x) for x in p.exceptions),
            tuple((t.invoice, t.net.minor, t.net.currency, t.payable.minor, t.state) for t in p.targets),
        )  # fmt: skip
    return found


def _fields_of(conflicts):
    """Each field once: the core shows a conflict for each of several invoices, the model that there is one."""
    return tuple(dict.fromkeys(conflict.field for conflict in conflicts))


def commands(story):
    """What finance was told of each milestone, in order."""
    amounts = ("value", "released_to_date", "held")
    return without_repeats(
        [(c["milestone"], c["action"], *(c[name]["amount"] for name in amounts)) for c in story.commands]
    )


def differences(core, model):
    """One line for each field of each milestone on which they do not agree."""
    names = sorted(core.keys() | model.keys())
    lines = [
        f"{name}: known to {'core' if name in core else 'model'} alone"
        for name in names
        if (name in core) != (name in model)
    ]
    for name in names:
        for field, ours, theirs in zip(Stand._fields, core.get(name, ()), model.get(name, ()), strict=False):
            if ours != theirs:
                lines.append(f"{name} {field}: core {ours}, model {theirs}")
    return lines

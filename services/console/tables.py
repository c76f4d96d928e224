"""Lists as tables for people: what stands in each column. A cell may lead to another page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote


class To(NamedTuple):
    """A cell that leads somewhere."""

    text: str
    href: str


class Table(NamedTuple):
    """A table with its caption; `numbers` names the columns that stand to the right; `empty` stands for no rows."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str
    numbers: Sequence[str] = ()


def to(*steps: str) -> str:
    """The path of a page; ids are encoded."""
    return "/" + "/".join(quote(step, safe="") for step in steps)


def place(contract: str, milestone: str) -> To:
    """A milestone, leading to its place on its contract's page."""
    return To(f"{contract}/{milestone}", f"{to('contracts', contract)}#{quote(milestone, safe='')}")


def money(amount: Any) -> str:
    """`EUR 71100.00`; nothing where there is no amount."""
    return "" if amount is None else f"{amount.currency} {amount.amount}"


def held(holds: Iterable[Any]) -> Table:
    """What is held and why, a row a milestone."""
    rows = [
        (
            place(h.contract, h.milestone), h.title, money(h.held), money(h.value),
            "\n".join(f"{r.code}: {r.detail} (since {r.since[:10]}, {r.owner})" for r in h.reasons),
            ", ".join(h.exceptions),
        )
        for h in holds
    ]  # fmt: skip
    columns = ("milestone", "title", "held", "of", "because", "to look at")
    return Table("Held, the worst first", columns, rows, "nothing is held here", ("held", "of"))


def contracts(lines: Iterable[Any]) -> Table:
    """Contracts with sums over their milestones."""
    rows = [
        (
            To(c.contract, to("contracts", c.contract)), c.title, c.status, c.version, f"{c.currency} {c.value}",
            f"{c.currency} {c.released}", "frozen" if c.frozen else "",
        )
        for c in lines
    ]  # fmt: skip
    columns = ("contract", "title", "status", "version", "value", "released", "")
    return Table("Contracts", columns, rows, "no contract is registered here", ("version", "value", "released"))


def history(contract: str, revisions: Iterable[Any]) -> Table:
    """The revisions of a contract."""
    rows = [(r.revision, r.at, r.cause, ", ".join(r.facts), "\n".join(r.decided), r.head[:16]) for r in revisions]
    columns = ("revision", "at", "cause", "facts", "decided", "head")
    return Table(f"What happened to {contract}", columns, rows, "nothing yet", ("revision",))


def conflicts(found: Iterable[Any], words: Callable[[Any], str]) -> Table:
    """Fields about which systems differ; the first word counts."""
    rows = [
        (
            place(c.contract, c.milestone), c.conflict.field,
            words(c.conflict), c.conflict.resolve, "holds" if c.holds else "",
        )
        for c in found
    ]  # fmt: skip
    columns = ("milestone", "field", "words; the first one counts", "to be settled by", "")
    return Table("Open conflicts", columns, rows, "systems agree here")


def parked(found: Iterable[Any]) -> Table:
    """Facts that wait."""
    rows = [(p.since, p.source, p.kind, p.reason, ", ".join(p.keys), p.record) for p in found]
    columns = ("since", "source", "kind", "why", "keys", "record")
    return Table("Parked facts, which wait for their contract", columns, rows, "nothing waits")


def quarantine(lines: Iterable[Any]) -> Table:
    """Records that could not be used."""
    rows = [(To(q.id, to("quarantine", q.id)), q.source, q.recorded, q.fault, q.sentence, q.size) for q in lines]
    columns = ("record", "source", "recorded", "fault", "sentence", "bytes")
    return Table("Quarantine, the newest first", columns, rows, "nothing lies in quarantine", ("bytes",))


def drift(findings: Iterable[Any]) -> Table:
    """Where finance differs from what was commanded."""
    rows = [
        (d.kind, d.since[:10], d.finance or "", ", ".join(d.milestones), d.invoice or "", money(d.amount), d.detail,
         d.advice)
        for d in findings
    ]  # fmt: skip
    columns = ("kind", "since", "finance", "milestones", "invoice", "amount", "detail", "what to do")
    return Table("Drift: finance differs from what was commanded", columns, rows, "nothing differs", ("amount",))


def sync(status: Any) -> list[Table]:
    """How far everything has been read, and what waits."""
    sums = [
        ("contracts", status.contracts), ("open in quarantine", status.quarantine_open),
        ("parked facts", status.parked),
        ("records behind", "unknown" if status.behind is None else status.behind),
        *((f"{outcome} today", n) for outcome, n in sorted(status.today.items())),
    ]  # fmt: skip
    parts = [
        (p.topic, p.partition, _or_unknown(p.next), _or_unknown(p.behind), _or_unknown(p.seconds), p.owner)
        for p in status.partitions
    ]
    lanes = [(lane.lane, lane.rows, lane.oldest_seconds) for lane in status.outbox]
    leases = [(lease.name, lease.owner, lease.epoch, lease.seconds_left) for lease in status.leases]
    columns = ("topic", "partition", "next", "behind", "seconds", "worker")
    return [
        Table("In sum", ("what", "how many"), sums, "nothing", ("how many",)),
        Table("Partitions", columns, parts, "no partition was ever read", columns[1:5]),
        Table(
            "Lanes of the outbox", ("lane", "rows", "oldest, s"), lanes, "the outbox is empty", ("rows", "oldest, s")
        ),
        Table("Leases", ("lease", "holder", "epoch", "s left"), leases, "no worker is running", ("epoch", "s left")),
    ]


def _or_unknown(value: object) -> object:
    return "?" if value is None else value

"""What operators look at: `milepost status`, `explain`, `conflicts`, `parked`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.options import Anywhere, Limit
from services.cli.words import give_up, print_json, print_table, run, say, working

if TYPE_CHECKING:
    from services.wiring.status import Status


@app.command("status")
def status(
    config: Config = DEFAULT_CONFIG,
    quick: Annotated[bool, typer.Option("--quick", help="Do not look for frozen contracts.")] = False,
    partitions: Annotated[bool, typer.Option("--partitions", help="Show every partition, also those read up.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show how far everything has been read, and what waits.

    It ends with 1 where something could not be asked; the rest is shown all the same.
    """
    from services import settings
    from services.wiring.status import status as ask

    with working("asking the store and the broker"):
        found = run(ask(settings.load(config), quick=quick))
    if as_json:
        print_json(found)
    else:
        _tell(found, partitions)
    if found.faults:
        give_up(*found.faults)


def _tell(found: Status, every: bool) -> None:
    frozen = f", {len(found.frozen)} frozen ({', '.join(found.frozen[:10])})" if found.frozen else ""
    behind = "unknown" if found.behind is None else str(found.behind)
    say(
        f"contracts    {found.contracts}{frozen}",
        f"quarantine   {found.quarantine_open} open",
        f"parked       {found.parked} facts",
        f"behind       {behind} records",
        f"today        {', '.join(f'{n} {outcome}' for outcome, n in sorted(found.today.items())) or 'nothing yet'}",
        "",
    )
    shown = [p for p in found.partitions if every or p.behind != 0]
    rows = [(p.topic, p.partition, p.next, p.behind, p.seconds, p.owner) for p in shown]
    print_table(
        ("topic", "partition", "next", "behind", "seconds", "worker"), rows, "every partition is read to its end"
    )
    say("")
    lanes = [(lane.lane, lane.rows, lane.oldest_seconds) for lane in found.outbox]
    print_table(("outbox lane", "rows", "oldest, seconds"), lanes, "the outbox is empty")
    say("")
    leases = [(lease.name, lease.owner, lease.epoch, lease.seconds_left) for lease in found.leases]
    print_table(("lease", "holder", "epoch", "seconds left"), leases, "nobody holds a lease: no worker is running")


@app.command("explain")
def explain(
    target: Anywhere,
    config: Config = DEFAULT_CONFIG,
    known_at: Annotated[
        str | None, typer.Option("--known-at", help="As Milepost knew it at this moment.", show_default=False)
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="As it was in the business world on this day.", show_default=False)
    ] = None,
    facts: Annotated[bool, typer.Option("--facts", help="Show the facts also where no milestone is named.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say why a milestone stands where it does, now or in the past.

    What is held by which reason, since when, by which facts and why these count, who can clear it, and what would
    release how much. --known-at (2026-03-01T12:00:00Z, or a day: its end) shows what had been decided by then from
    what had arrived by then. --as-of (a day) shows that day with all that is known today: facts that are about a later
    day (met on, received on, signed at, issued on, paid on, ...) do not count, and the days before it are decided one
    by one by today's rules, as if every fact had been known on its own day; what finance had really been told by then
    stands beside it.
    """
    from services import settings
    from services.runtime.past import as_json as plain
    from services.runtime.past import grounds_sentences, told_sentences
    from services.runtime.sentences import sentences
    from services.wiring.history import explain as ask
    from services.wiring.places import read_place

    if known_at is not None and as_of is not None:
        give_up("--known-at and --as-of are two questions: ask one of them", code=2)
    place = read_place(target)
    found = run(ask(settings.load(config), place, known_at, as_of))
    if as_json:
        print_json([plain(one) for one in found])
        return
    for one in found:
        shown = grounds_sentences(one) if facts or place.milestone else []
        said = told_sentences(one) if as_of is not None else []
        say(*sentences(one.account), *said, *shown, "")


@app.command("conflicts")
def conflicts(
    contract: Annotated[str | None, typer.Argument(help="One contract; left out: all.", show_default=False)] = None,
    config: Config = DEFAULT_CONFIG,
    limit: Limit = 1000,
    as_json: AsJson = False,
) -> None:
    """List fields about which systems differ.

    With what each system says, whose word counts, and who must settle it.
    """
    from services import settings
    from services.wiring.looking import conflict_sentence
    from services.wiring.looking import conflicts as ask
    from services.wiring.places import read_place

    named = read_place(contract).contract if contract is not None else None
    with working("looking through the contracts"):
        found = run(ask(settings.load(config), named, limit))
    if as_json:
        print_json(found)
        return
    rows = [
        (f"{c.contract}/{c.milestone}", c.conflict.field, conflict_sentence(c.conflict), c.conflict.resolve,
         "holds" if c.holds else "")
        for c in found
    ]  # fmt: skip
    print_table(
        ("milestone", "field", "words; the first one counts", "to be settled by", ""), rows, "no open conflicts"
    )


@app.command("parked")
def parked(config: Config = DEFAULT_CONFIG, limit: Limit = 1000, as_json: AsJson = False) -> None:
    """List facts that wait for their contract.

    No contract has their key yet, or they fit several places; none of them is ever guessed.
    """
    from services import settings
    from services.wiring.looking import parked as ask

    with working("looking through what waits"):
        found = run(ask(settings.load(config), limit))
    if as_json:
        print_json(found)
        return
    rows = [(p.since, p.source, p.kind, p.reason, ", ".join(p.keys), p.contract or "", p.record) for p in found]
    print_table(("since", "source", "kind", "why", "keys", "contract", "record"), rows, "nothing waits")

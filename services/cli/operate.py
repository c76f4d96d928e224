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
def explain(target: Anywhere, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Say why a milestone stands where it does.

    What is held by which reason, since when, by which facts, who can clear it, and what would release how much.
    """
    from services import settings
    from services.runtime.sentences import sentences
    from services.wiring.looking import explain as ask
    from services.wiring.places import read_place

    found = run(ask(settings.load(config), read_place(target)))
    if as_json:
        print_json(found)
        return
    for account in found:
        say(*sentences(account), "")


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

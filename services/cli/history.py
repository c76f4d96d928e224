"""What auditors ask: `milepost verify`, `replay`, `what-if`. None of them writes or publishes anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.words import counting, give_up, print_json, print_table, run, say, working

if TYPE_CHECKING:
    from services.history.differences import Difference, Line, Side
    from services.history.retrospect import Would
    from services.wiring.history import Verified
    from services.wiring.shadows import Outcomes, Replays

Contracts = Annotated[
    list[str] | None, typer.Argument(metavar="[CONTRACT]...", help="Contracts; left out: all.", show_default=False)
]


@app.command("verify")
def verify(
    contracts: Contracts = None,
    published: Annotated[
        bool, typer.Option("--published", help="Also compare every command in the topic with the log.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Prove contracts from their log: chain, decisions, commands, state.

    Each hash is computed again, each decision taken again under the rulebook that it names, each command's id
    compared with its content, and the stored state with the fold of the log. It ends with 1 where anything does not
    prove. Who can rewrite a whole log can make a whole chain: --published compares it with what finance has read.
    """
    from services import settings
    from services.wiring.history import verify_contracts, verify_published
    from services.wiring.places import read_place

    names = [read_place(name).contract for name in contracts or ()]
    loaded = settings.load(config)
    with counting("contracts proven") as progress:
        found = run(verify_contracts(loaded, names, progress))
    if published:
        with working("comparing with the topic of commands"):
            found.published, faults = run(verify_published(loaded, names))
        found.faults += faults
    if as_json:
        print_json(found)
    else:
        rows = [(f.contract, f.revision or "", f.what, f.sentence) for f in found.faults]
        if rows:
            print_table(("contract", "revision", "what", "fault"), rows, "")
        say(*_proven(found, published=published, named=bool(contracts)))
    if found.faults:
        give_up(f"{len(found.faults)} things do not prove")


def _proven(found: Verified, *, published: bool, named: bool) -> Iterator[str]:
    yield (
        f"{found.contracts} contracts, {found.revisions} revisions, {found.decisions} decisions, "
        f"{found.commands} commands: {len(found.faults)} faults"
    )
    if published:
        yield f"{found.published} commands in the topic were compared with the log"
    if found.not_redecided:
        yield f"{found.not_redecided} revisions were decided under other rules than this version's; their chain holds"
    if named:
        yield from (f"{name} ends at {head}" for name, head in found.heads.items())


@app.command("replay")
def replay(
    contracts: Contracts = None,
    everything: Annotated[bool, typer.Option("--all", help="Every contract.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Do histories again in shadow, by the present mappers and rules.

    What lies in quarantine is mapped anew from its bytes, and so are records that could be used where they are kept
    (worker.keep_records_days); everything else is taken from the facts of the log. It says how many records it mapped
    anew, which facts, positions and commands would come out otherwise, and ends with 1 where any would. Nothing is
    written, and nothing is published.
    """
    from services import settings
    from services.wiring.places import read_place
    from services.wiring.shadows import replay as again

    if bool(contracts) == everything:
        give_up("name contracts, or say --all", code=2)
    names = [read_place(name).contract for name in contracts or ()]
    with counting("contracts done again") as progress:
        found = run(again(settings.load(config), names, progress))
    if as_json:
        print_json(found)
    else:
        say(*_replayed(found))
    if found.differing:
        give_up(f"{len(found.differing)} of {found.contracts} contracts would come out otherwise")


def _replayed(found: Replays) -> Iterator[str]:
    for one in found.differing:
        yield f"{one.contract}:"
        if one.defect:
            yield f"  this version cannot decide it: {one.defect}"
        for fact in one.facts:
            yield f"  revision {fact.revision}, {fact.fact}: {fact.was}. Now it says: {'; '.join(fact.now)}."
        yield from _positions(one.positions)
        for command in one.commands:
            yield f"  sequence {command.sequence}: {_line(command.logged)}; now {_line(command.replayed)}"
    for record in found.records:
        now = "; ".join(record.now) or "it says nothing about milestones"
        yield f"{record.id}: {record.was}. Now: {now}" if record.kept else f"{record.id} can be read now: {now}"
    kept = found.kept
    if kept.records:
        yield f"{kept.records} kept records were mapped anew, from {kept.since} to {kept.until}"
    else:
        yield "no records are kept (worker.keep_records_days); what could be used was taken from the log"
    yield f"{found.contracts} contracts, {found.revisions} revisions: {len(found.differing)} would come out otherwise"


@app.command("what-if")
def what_if(
    contracts: Contracts = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="A registration or amendment, as for contract apply.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="Another policy (YAML), as if it had always been in use.")
    ] = None,
    other_config: Annotated[
        Path | None, typer.Option("--with-config", help="Another configuration: its people, roles and policy.")
    ] = None,
    facts: Annotated[Path | None, typer.Option("--facts", help="Records and clocks, lines as for try.")] = None,
    clock: Annotated[str | None, typer.Option("--clock", help="Let the time pass until this day or moment.")] = None,
    version: Annotated[
        int | None, typer.Option("--version", help="What this registered amendment would have made of the past.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Suppose a change, and say what would come out otherwise. Nothing is written, and nothing is published.

    A plan, facts and passing time come on top of what stands now; a policy or another configuration is run over the
    whole history, as if it had always been in use. What stands is compared with the time passed until now. Where an
    amendment counts from a day in the past, every revision since is shown beside what would have been released: what
    was decided is never rewritten. Contracts that are left out: those that plan and facts are about, else all.
    """
    from services import settings
    from services.wiring.places import read_place
    from services.wiring.shadows import suppose
    from services.wiring.wishes import Wish

    wish = Wish(plan, policy, other_config, facts, clock, version)
    if wish == Wish():
        give_up("say what to suppose: --plan, --policy, --with-config, --facts, --clock or --version", code=2)
    if version is not None and len(contracts or ()) != 1:
        give_up("--version needs the one contract whose version it is", code=2)
    names = [read_place(name).contract for name in contracts or ()]
    with counting("contracts looked at") as progress:
        found = run(suppose(settings.load(config), names, wish, progress))
    if as_json:
        print_json(found)
    else:
        say(*_outcomes(found))
    if found.refused:
        give_up(*(f"it would be refused: {sentence}" for sentence in found.refused))


def _outcomes(found: Outcomes) -> Iterator[str]:
    yield from found.notes
    yield from (f"not used: {sentence}" for sentence in (*found.set_aside, *found.homeless))
    if not found.positions:
        yield f"no difference: {found.contracts} contracts would stand as they do"
    contract = ""
    for one in found.positions:
        if one.contract != contract:
            contract = one.contract
            yield f"{contract}:"
        yield from _positions([one])
    if found.commands:
        yield "Commands that would go out:"
        yield from (f"  {line.contract}/{line.milestone} {_line(line)}" for line in found.commands)
    for name, rows in found.since.items():
        yield from _since(name, rows)
    for s in found.sums:
        parts = (("value", s.value), ("released", s.released_to_date), ("held", s.held))
        changes = ", ".join(f"{name} {a} -> {b}" if a != b else f"{name} {a}" for name, (a, b) in parts)
        yield f"In sum {s.currency}: {changes}"


def _positions(found: Sequence[Difference]) -> Iterator[str]:
    for one in found:
        before, after = _side(one.before), _side(one.after)
        yield f"  {one.milestone}: {before}" if before == after else f"  {one.milestone}: {before} -> {after}"
        yield from (f"    {sentence}" for sentence in one.why)


def _side(side: Side | None) -> str:
    if side is None:
        return "not in the plan"
    amounts = f"{side.released_to_date.amount} released, {side.held.amount} held"
    return f"{side.value.currency} {amounts} ({', '.join(side.reasons) or 'nothing holds'})"


def _line(line: Line | None) -> str:
    if line is None:
        return "none"
    amounts = f"{line.released_to_date.amount} released, {line.held.amount} held"
    return f"{line.action} {line.milestone}, sequence {line.sequence}: {line.value.currency} {amounts}"


def _since(contract: str, rows: Sequence[Would]) -> Iterator[str]:
    if not rows:
        yield f"{contract}: since the day from which it counts, the amendment would have made no difference"
        return
    yield f"{contract}: what the amendment would have made of each revision since the day from which it counts:"
    for w in rows:
        reasons = f" ({', '.join(w.reasons)})" if w.reasons else ""
        yield (
            f"  revision {w.revision} of {w.at}, {w.milestone}: {w.released_then.amount} was released, "
            f"{w.released_with.amount} would have been (allowed {w.allowed_with.amount}){reasons}: {w.more.amount}"
        )

"""What persons do: sign, hold, dispute, waive, attach evidence. Each is a canonical event with a verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.options import Anywhere, By, EventId, Source, Target, Timeout, Wait, within
from services.cli.words import give_up, print_json, run, say, working

hold = typer.Typer(no_args_is_help=True, help="Place a person's hold, and lift it. The machine never lifts one.")
dispute = typer.Typer(no_args_is_help=True, help="Open a dispute, and resolve it.")
evidence = typer.Typer(no_args_is_help=True, help="Attach documents by their SHA-256; remove them.")
Reason = Annotated[str, typer.Option("--reason", help="Why.", show_default=False)]
DisputeId = Annotated[str, typer.Option("--dispute", help="The dispute's id.", show_default=False)]
HoldId = Annotated[str, typer.Option("--hold", help="The hold's id.", show_default=False)]
Name = Annotated[str, typer.Argument(help="The document's name, as the plan requires it.")]


@app.command("sign")
def sign(
    target: Target,
    by: By,
    role: Annotated[str, typer.Option("--role", help="The role in which they sign.", show_default=False)],
    evidence: Annotated[
        list[str] | None,
        typer.Option("--evidence", help="What they have seen: NAME=SHA256, or NAME=@FILE.", show_default=False),
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the sign-off back.")] = False,
    config: Config = DEFAULT_CONFIG,
    source: Source = None,
    event: EventId = None,
    wait: Wait = True,
    timeout: Timeout = 30,
    as_json: AsJson = False,
) -> None:
    """Accept a milestone in a role, having seen its evidence."""
    kind = "sign_off.withdrawn" if withdraw else "sign_off.given"
    fields = {"by": by, "role": role, "evidence": read_evidence(evidence or [])}
    _perform(config, kind, target, fields, source, event, within(wait, timeout), as_json, moments=("signed_at",))


@hold.command("place")
def place_hold(
    target: Anywhere,
    hold: HoldId,
    by: By,
    reason: Reason,
    config: Config = DEFAULT_CONFIG,
    source: Source = None,
    event: EventId = None,
    wait: Wait = True,
    timeout: Timeout = 30,
    as_json: AsJson = False,
) -> None:
    """Hold a milestone, or all of a contract."""
    fields = {"hold": hold, "reason": reason, "by": by}
    _perform(config, "hold.placed", target, fields, source, event, within(wait, timeout), as_json, whole=True)


@hold.command("lift")
def lift_hold(
    target: Anywhere,
    hold: HoldId,
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    config: Config = DEFAULT_CONFIG,
    source: Source = None,
    event: EventId = None,
    wait: Wait = True,
    timeout: Timeout = 30,
    as_json: AsJson = False,
) -> None:
    """Lift a hold, at the same place where it was placed."""
    fields = {"hold": hold, "reason": reason, "by": by}
    _perform(config, "hold.lifted", target, fields, source, event, within(wait, timeout), as_json, whole=True)


@dispute.command("open")
def open_dispute(
    target: Anywhere,
    dispute: DisputeId,
    by: By,
    reason: Reason,
    amount: Annotated[
        str | None, typer.Option("--amount", help="What is disputed; left out: all of it.", show_default=False)
    ] = None,
    config: Config = DEFAULT_CONFIG,
    source: Source = None,
    event: EventId = None,
    wait: Wait = True,
    timeout: Timeout = 30,
    as_json: AsJson = False,
) -> None:
    """Dispute a milestone, or a part of it. The same id again corrects the amount."""
    fields = {"dispute": dispute, "reason": reason, "by": by}
    _perform(
        config,
        "dispute.opened",
        target,
        fields,
        source,
        event,
        within(wait, timeout),
        as_json,
        whole=True,
        amount=amount,
    )


@dispute.command("resolve")
def resolve_dispute(
    target: Anywhere,
    dispute: DisputeId,
    by: By,
    reason: Reason,
    config: Config = DEFAULT_CONFIG,
    source: Source = None,
    event: EventId = None,
    wait: Wait = True,
    timeout: Timeout = 30,
    as_json: AsJson = False,
) -> None:
    """Resolve a dispute, at the same place where it was opened."""
    fields = {"dispute": dispute, "reason": reason, "by": by}
    _perform(config, "dispute.resolved", target, fields, source, event, within(wait, timeout), as_json, whole=True)


@app.command("waive")
def waive(
    target: Anywhere,
    code: Annotated[str, typer.Argument(help="The hold reason, such as SIGN_OFF_MISSING.")],
    by: By,
    approved_by: Annotated[str, typer.Option("--approved-by", help="Who else approves it.", show_default=False)],
    ticket: Annotated[str, typer.Option("--ticket", help="Where it is written down.", show_default=False)],
    cause: Annotated[
        str | None, typer.Option("--cause", help="Only for this document, precursor or source.", show_default=False)
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="The last day on which it counts, as 2026-12-31.", show_default=False)
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why.", show_default=False)] = None,
    config: Config = DEFAULT_CONFIG,
    source: Source = None,
    event: EventId = None,
    wait: Wait = True,
    timeout: Timeout = 30,
    as_json: AsJson = False,
) -> None:
    """Waive one hold reason: two persons, and a ticket. Amounts, claims and persons' holds cannot be waived."""
    fields = {
        "code": code, "by": by, "approved_by": approved_by, "ticket": ticket, "cause": cause, "until": until,
        "reason": reason,
    }  # fmt: skip
    _perform(config, "reason.waived", target, fields, source, event, within(wait, timeout), as_json, whole=True)


@evidence.command("attach")
def attach(
    target: Target,
    name: Name,
    file: Annotated[Path | None, typer.Argument(help="The document; only its SHA-256 is sent.")] = None,
    sha256: Annotated[str | None, typer.Option("--sha256", help="Its SHA-256, in place of a file.")] = None,
    uri: Annotated[str | None, typer.Option("--uri", help="Where it is kept.", show_default=False)] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who attaches it.", show_default=False)] = None,
    config: Config = DEFAULT_CONFIG,
    source: Source = None,
    event: EventId = None,
    wait: Wait = True,
    timeout: Timeout = 30,
    as_json: AsJson = False,
) -> None:
    """Attach a document to a milestone."""
    if (file is None) == (sha256 is None):
        give_up("give either the document or --sha256", code=2)
    digest = hash_of(file) if file is not None else read_hash(name, sha256 or "")
    fields = {"name": name, "sha256": digest, "uri": uri, "by": by}
    _perform(config, "evidence.attached", target, fields, source, event, within(wait, timeout), as_json)


@evidence.command("remove")
def remove(
    target: Target,
    name: Name,
    by: Annotated[str | None, typer.Option("--by", help="Who removes it.", show_default=False)] = None,
    config: Config = DEFAULT_CONFIG,
    source: Source = None,
    event: EventId = None,
    wait: Wait = True,
    timeout: Timeout = 30,
    as_json: AsJson = False,
) -> None:
    """Take a document away again."""
    fields = {"name": name, "by": by}
    _perform(config, "evidence.removed", target, fields, source, event, within(wait, timeout), as_json)


app.add_typer(hold, name="hold")
app.add_typer(dispute, name="dispute")
app.add_typer(evidence, name="evidence")


def _perform(
    config: Path,
    kind: str,
    target: str,
    fields: Mapping[str, Any],
    source: str | None,
    event: str | None,
    timeout_s: float | None,
    as_json: bool,
    *,
    whole: bool = False,
    moments: tuple[str, ...] = (),
    amount: str | None = None,
) -> None:
    """Do it and tell the verdict. `whole`: it may be said of a contract as a whole."""
    from services import settings
    from services.wiring.acts import Act, perform
    from services.wiring.places import read_place

    act = Act(kind, read_place(target, milestone=not whole), fields, moments, amount)
    with working("waiting for the verdict"):
        verdict = run(perform(settings.load(config), act, source, event, timeout_s))
    if as_json:
        print_json(verdict)
    elif verdict.good:
        say(f"{verdict.outcome}: {verdict.sentence}")
    else:
        give_up(f"{verdict.outcome}: {verdict.sentence}")
    if not verdict.good:
        raise typer.Exit(1)


def read_evidence(texts: list[str]) -> dict[str, str]:
    """`NAME=SHA256` and `NAME=@FILE` as names and hashes."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            give_up(f"--evidence {text!r} is neither NAME=SHA256 nor NAME=@FILE", code=2)
        found[name] = hash_of(Path(value[1:])) if value.startswith("@") else read_hash(name, value)
    return found


def read_hash(name: str, text: str) -> str:
    """A SHA-256 as people paste it, in lower case."""
    digest = text.lower()
    if not re.fullmatch("[0-9a-f]{64}", digest):
        give_up(f"{text!r}, the hash of {name}, is no SHA-256: 64 hexadecimal digits", code=2)
    return digest


def hash_of(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    from hashlib import file_digest

    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        give_up(f"{path} cannot be read: {error.strerror}", code=2)

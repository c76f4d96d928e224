"""`milepost persons list|show|erase`: whom pseudonyms mean, and an erasure (GDPR article 17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.options import Limit
from services.cli.words import print_json, print_table, run, say, warn

if TYPE_CHECKING:
    from services.wiring.persons import Person

persons = typer.Typer(no_args_is_help=True, help="See whom pseudonyms mean, and erase it.")
app.add_typer(persons, name="persons")
Who = Annotated[str, typer.Argument(metavar="NAME|PSEUDONYM", help="As a system calls the person, or the pseudonym.")]
ELSEWHERE = (
    "What a person's systems sent is kept elsewhere too, each for its own time: records kept for replay "
    "(worker.keep_records_days), records in quarantine, the topics, backups. A record that is read again brings the "
    "name again."
)


@persons.command("list")
def list_(config: Config = DEFAULT_CONFIG, limit: Limit = 1000, as_json: AsJson = False) -> None:
    """List everybody whom the store knows."""
    from services import settings
    from services.wiring.persons import listed

    _print(run(listed(settings.load(config), limit)), as_json)


@persons.command("show")
def show(who: Who, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Say whom a pseudonym means, or which pseudonyms a name has with all that `people` gives it."""
    from services import settings
    from services.wiring.persons import shown

    _print(run(shown(settings.load(config), who)), as_json)


@persons.command("erase")
def erase(who: Who, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Erase whom a pseudonym means.

    A name goes with every identity that `people` gives it. The log keeps the pseudonym: chains, decisions and commands
    prove as before, and nobody can tell any more whom it means but by the key and a guess. Doing it twice does what
    once does.
    """
    from services import settings
    from services.wiring.persons import erase as forget

    done = run(forget(settings.load(config), who))
    if as_json:
        print_json(done)
    else:
        say(f"{done.erased} erased" if done.erased else "nobody is known by it: nothing was left to erase", ELSEWHERE)
    if done.in_people:
        warn(
            "`people` in the configuration still names them: let pseudonyms stand there, or a start brings names again"
        )


def _print(found: list[Person], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [(p.name, p.pseudonym, p.first_seen) for p in found]
    print_table(("name", "pseudonym", "first seen"), rows, "nobody is known", names=False)

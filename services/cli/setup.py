"""Set-up, each idempotent: `config check`, `topics plan|apply|acl`, `db upgrade|roles|check`, `schemas`, `asyncapi`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.words import give_up, print_json, print_table, run, say, working

if TYPE_CHECKING:
    from services.wiring.setup import StepLine

config_app = typer.Typer(no_args_is_help=True, help="Check the configuration.")
topics = typer.Typer(no_args_is_help=True, help="Compare Kafka's topics with what is needed; create them.")
db = typer.Typer(no_args_is_help=True, help="Bring the database up to this version, and check it.")
TopicsFile = Annotated[
    Path | None, typer.Option("--file", help="Another topics.yaml than the one shipped.", show_default=False)
]


@config_app.command("check")
def check_config(
    config: Config = DEFAULT_CONFIG,
    show: Annotated[bool, typer.Option("--show", help="Print what counts, defaults included, secrets hidden.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check the configuration file and the environment; list every fault at once. Nothing is connected to."""
    from contracts_schema.errors import ConfigurationError
    from services import settings
    from services.wiring.house import house_faults
    from services.wiring.setup import effective, file_faults

    try:
        loaded = settings.load(config)
        faults = file_faults(loaded) + house_faults(loaded)
        if not faults:
            loaded.persons()  # whose key must be long enough
    except ConfigurationError as error:
        loaded, faults = None, list(error.faults)
    if as_json:
        print_json({"faults": faults} | ({"effective": effective(loaded)} if show and loaded else {}))
    elif show and loaded:
        import yaml

        sys.stdout.write(yaml.safe_dump(effective(loaded), sort_keys=False, allow_unicode=True))
    if faults:
        give_up(*faults, code=2)
    if not (as_json or show):
        say(f"{config}: no faults")


@topics.command("plan")
def plan_topics(config: Config = DEFAULT_CONFIG, file: TopicsFile = None, as_json: AsJson = False) -> None:
    """Show what `topics apply` would do, and what it cannot."""
    from services import settings
    from services.wiring.setup import plan_topics as plan

    with working("asking the broker"):
        steps = run(plan(settings.load(config), _text(file)))
    _tell(steps, as_json)


@topics.command("apply")
def apply_topics(
    config: Config = DEFAULT_CONFIG,
    file: TopicsFile = None,
    raise_partitions: Annotated[
        bool, typer.Option("--raise-partitions", help="Also add partitions: keys move to others, see `topics plan`.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create missing topics and set what differs. Ends with 1 where something is left that it may not or cannot do."""
    from services import settings
    from services.wiring.setup import apply_topics as apply

    with working("creating and configuring topics"):
        steps = run(apply(settings.load(config), _text(file), raise_partitions))
    _tell(steps, as_json)
    if not all(step.done for step in steps):
        raise typer.Exit(1)


@topics.command("acl")
def access(
    config: Config = DEFAULT_CONFIG,
    command_config: Annotated[
        str, typer.Option(help="Properties with the login of an administrator, for the commands that are printed.")
    ] = "admin.properties",
    as_json: AsJson = False,
) -> None:
    """Print who has to be allowed what on a cluster that denies by default, as kafka-acls.sh commands or as JSON.

    A principal for each kind of process (milepost-worker, -gate, -collect, -office, -redrive, -console, -admin) and one
    for each source, by its name. Nothing is connected to.
    """
    from services import settings
    from services.wiring.access import allowed, shell

    loaded = settings.load(config)
    if as_json:
        print_json(allowed(loaded))
    else:
        say(*shell(loaded, command_config))


def _text(file: Path | None) -> str | None:
    try:
        return None if file is None else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        give_up(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}", code=2)


def _tell(steps: list[StepLine], as_json: bool) -> None:
    if as_json:
        print_json(steps)
    else:
        rows = [(s.topic, s.action, "done" if s.done else "", s.sentence) for s in steps]
        print_table(("topic", "action", "", ""), rows, "the topics are as they should be")


@db.command("upgrade")
def upgrade(
    config: Config = DEFAULT_CONFIG,
    lock_timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a table that is in use.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Bring the database's schema up to this version, in one transaction."""
    from services import settings
    from services.wiring.setup import upgrade_database

    with working("upgrading the database"):
        applied = run(upgrade_database(settings.load(config), lock_timeout))
    if as_json:
        print_json({"applied": applied})
    else:
        say(f"applied {', '.join(applied)}" if applied else "the database is up to date")


@db.command("roles")
def database_roles(
    apply: Annotated[bool, typer.Option("--apply", help="Do it, as the owner of the tables.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Print the SQL that makes a role for each kind of process and grants what it needs, and no more.

    The roles cannot log in: give each process's login its role, as in `grant milepost_worker to alice`. Where roles
    are there, `db upgrade` grants what new tables need. It ends with 1 where an administrator has to make a role.
    """
    from services import settings
    from services.wiring.setup import apply_roles, roles_script

    if not apply:
        say(*(f"{statement};" for statement in roles_script()))
        return
    missing = run(apply_roles(settings.load(config)))
    if missing:
        made = "; ".join(f"create role {role} nologin" for role in missing)
        give_up(f"this user may not make roles; let an administrator run: {made}; then run this again")
    say("roles and rights are as they should be")


@db.command("check")
def check_database(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Check that the database is safe to start on: schema, durability, no standby."""
    from services import settings
    from services.wiring.setup import check_database as check

    faults = run(check(settings.load(config)))
    if as_json:
        print_json({"faults": faults})
    if faults:
        give_up(*faults, code=2)
    if not as_json:
        say("the database is fit")


@app.command("asyncapi")
def asyncapi(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to this file.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", envvar="MILEPOST_CONFIG", help="Take the topics' names from it.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, not YAML.")] = False,
) -> None:
    """Print the AsyncAPI 3.0 document of all topics."""
    import yaml

    from services import settings
    from services.wiring.setup import asyncapi as make

    document = make(settings.load(config) if config is not None else None)
    if as_json:
        from msgspec import json

        text = json.format(json.encode(document), indent=2).decode() + "\n"
    else:
        text = yaml.dump(document, Dumper=_without_aliases(), sort_keys=False, allow_unicode=True, width=120)
    if output is None:
        sys.stdout.write(text)
    else:
        _write(output, text)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        give_up(f"{path} cannot be written: {error.strerror}")


def _without_aliases() -> type:
    """YAML's own short-hand for what stands twice is read by few AsyncAPI tools."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 -- the name is yaml's
            return True

    return Dumper


@app.command("schemas")
def schemas(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; end with 1 where they differ.")] = False,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Another folder than contracts_schema/schemas.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write or compare the JSON Schemas of the wire.

    They are made from the types; --check says how the published ones differ, and what that would break.
    """
    from services.wiring.setup import schema_differences, schema_folder, write_schemas

    at = folder or schema_folder()
    differences = schema_differences(at)
    if not check:
        write_schemas(at)
    if as_json:
        print_json({"folder": str(at), "differences": differences})
    else:
        say(*(differences or [f"the schemas in {at} say what the types say"]))
    if check and differences:
        raise typer.Exit(1)


app.add_typer(config_app, name="config")
app.add_typer(topics, name="topics")
app.add_typer(db, name="db")

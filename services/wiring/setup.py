"""Wires what sets Milepost up: the configuration shown and checked, topics, the database, and the published schemas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from pydantic import BaseModel, SecretStr

from services.settings import Settings
from services.wiring import doors

HIDDEN = "(hidden)"


class StepLine(Struct, frozen=True):
    """One change of a topic, and whether it was done. `impossible` ones need an administrator."""

    topic: str
    action: str
    sentence: str
    done: bool = False


def effective(settings: Settings) -> dict[str, Any]:
    """The configuration as it counts, defaults and the environment's overrides included, without secrets."""
    return {name: _shown(getattr(settings, name)) for name in type(settings).model_fields}


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, BaseModel):
        return {name: _shown(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {name: _shown(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_shown(part) for part in value]
    return _without_password(value) if isinstance(value, str) else str(value) if isinstance(value, Path) else value


def _without_password(text: str) -> str:
    """URLs may bear a password: `https://user:secret@host`."""
    from urllib.parse import urlsplit

    try:
        password = urlsplit(text).password if "://" in text else None
    except ValueError:
        return HIDDEN
    return text.replace(f":{password}@", f":{HIDDEN}@") if password else text


def file_faults(settings: Settings) -> list[str]:
    """Files that the configuration names and that cannot be read, with the field that names each; and those of logins
    that hold no good token."""
    unread = [
        f"{field}: {path} cannot be read; create it, or let this user read it"
        for field, path in _files("", settings)
        if not _is_readable(path)
    ]
    return unread + _token_faults(settings)


def _token_faults(settings: Settings) -> list[str]:
    if not settings.console.logins:
        return []
    from services.console.logins import token_faults
    from services.wiring.console import logins_of

    return token_faults([one for one in logins_of(settings) if one.token_file and _is_readable(one.token_file)])


def _is_readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False


def _files(at: str, part: object) -> Iterator[tuple[str, Path]]:
    if isinstance(part, Path):
        yield at, part
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from _files(f"{at}.{name}" if at else name, getattr(part, name))
    elif isinstance(part, dict):
        for name, inner in part.items():
            yield from _files(f"{at}.{name}", inner)


async def plan_topics(settings: Settings, text: str | None) -> list[StepLine]:
    """What separates the cluster's topics from those that are needed."""
    from connectors.kafka.topics import plan

    steps = await plan(doors.kafka(settings), doors.topics(settings, text))
    return [StepLine(step.topic.name, step.action, step.sentence) for step in steps]


async def apply_topics(settings: Settings, text: str | None, raise_partitions: bool) -> list[StepLine]:
    """Create and configure topics; partitions are raised only when asked for."""
    from connectors.kafka.topics import apply

    done, left = await apply(doors.kafka(settings), doors.topics(settings, text), raise_partitions)
    lines = [StepLine(step.topic.name, step.action, step.sentence, done=True) for step in done]
    return lines + [StepLine(step.topic.name, step.action, step.sentence) for step in left]


async def upgrade_database(settings: Settings, lock_timeout_s: float) -> list[str]:
    """Bring the schema up to this program; the revisions applied."""
    from connectors.migrations import upgrade

    return await upgrade(doors.dsn(settings), lock_timeout_s)


def roles_script() -> list[str]:
    """The statements that make the database's roles and grant their rights."""
    from connectors.postgres_roles import script

    return script()


async def apply_roles(settings: Settings) -> list[str]:
    """Make the database's roles and grant their rights; those that an administrator has to make."""
    from connectors.postgres_roles import apply

    return await apply(doors.dsn(settings))


async def check_database(settings: Settings) -> list[str]:
    """What forbids to start on this database."""
    async with doors.open_store(settings) as store:
        return list(await store.check())


def schema_folder() -> Path:
    """Where the published schemas lie."""
    import contracts_schema

    return Path(contracts_schema.__file__).parent / "schemas"


def write_schemas(folder: Path) -> list[str]:
    """Write every schema; the names of those that changed, and of those that are gone."""
    from contracts_schema.schemas import encode_schema, schemas

    folder.mkdir(parents=True, exist_ok=True)
    made = {f"{name}.json": encode_schema(schema) for name, schema in (schemas() | _openapi()).items()}
    changed = [name for name, content in made.items() if _bytes(folder / name) != content]
    for name in changed:
        (folder / name).write_bytes(made[name])
    gone = [path for path in sorted(folder.glob("*.json")) if path.name not in made]
    for path in gone:
        path.unlink()
    return changed + [path.name for path in gone]


def schema_differences(folder: Path) -> list[str]:
    """How the published schemas differ from what the types say, with what that would break."""
    from msgspec.json import decode

    from contracts_schema.schemas import breaks, encode_schema, is_outgoing, schemas

    found = []
    made = schemas()
    for name, schema in made.items():
        published = _bytes(folder / f"{name}.json")
        if published is None:
            found.append(f"{name}.json is missing")
        elif published != encode_schema(schema):
            broken = breaks(decode(published), schema, outgoing=is_outgoing(name))
            effect = f"it breaks {', '.join(broken)}" if broken else "it breaks nothing"
            found.append(f"{name}.json differs; {effect}")
    for name, document in _openapi().items():
        if _bytes(folder / f"{name}.json") != encode_schema(document):
            found.append(f"{name}.json differs from what the console answers")
    strangers = [path.name for path in sorted(folder.glob("*.json")) if path.stem not in made | _openapi()]
    return found + [f"{name} is no schema of Milepost" for name in strangers]


def _openapi() -> dict[str, Any]:
    """The console's document, published beside the schemas."""
    from services.wiring.console import openapi

    return {"openapi": openapi()}


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def asyncapi(settings: Settings | None) -> dict[str, Any]:
    """The AsyncAPI document, with the topics of this configuration where there is one."""
    from contracts_schema.asyncapi import document
    from services.wiring import RELEASE

    return document(_names(settings) if settings else {}, RELEASE)


def _names(settings: Settings) -> dict[str, str]:
    """Topics by role and by what is written; of several sources of one role the first one's."""
    names: dict[str, str] = {}
    for source in settings.source_table().values():
        names.setdefault(source.role, source.topic)
    return names | settings.topics.model_dump()

"""Checks what `export ocds` writes against schemas that the caller names, such as the official ones.

Nothing is fetched: a schema that refers to another needs that one beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import DecodeError
from msgspec.json import decode

from contracts_schema.errors import ConfigurationError

Check = Callable[[Any], list[str]]
SHOWN = 5  # faults of one contract


def no_check(_package: Any) -> list[str]:
    """Without a schema nothing is checked."""
    return []


def check_of(paths: Sequence[Path], kind: str) -> Check:
    """A check of packages of this kind (`records`, `releases`) against the schemas in these files.

    Raises:
        ConfigurationError: a file cannot be read, is no schema, or none of them describes such a package.
    """
    if not paths:
        return no_check
    from referencing.exceptions import Unresolvable

    known = {str(path): _read(path) for path in paths}
    whole, part = _of_package(known.values(), kind), _of_release(known.values())
    schema = whole or part
    if schema is None:
        raise ConfigurationError([f"--schema: none of {', '.join(known)} describes a package of {kind}, or a release"])
    validator = _validator(schema, known.values())

    def check(package: Any) -> list[str]:
        try:
            found = list(_faults(validator, package if whole else package[kind], whole is not None))
        except Unresolvable as missing:
            raise ConfigurationError(
                [f"--schema: it refers to {missing.ref}, which is not there; give that file with another --schema"]
            ) from None
        return found[:SHOWN]

    return check


def _validator(schema: Mapping[str, Any], known: Collection[Mapping[str, Any]]) -> Any:
    """What checks against a schema, which may refer to the other known ones by their ids."""
    import jsonschema
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT4

    named = [(other.get("$id") or other.get("id"), other) for other in known]
    resources = [(name, Resource.from_contents(other, default_specification=DRAFT4)) for name, other in named if name]
    form = jsonschema.validators.validator_for(schema, default=jsonschema.Draft4Validator)
    return form(schema, registry=Registry().with_resources(resources), format_checker=form.FORMAT_CHECKER)


def _faults(validator: Any, content: Any, whole: bool) -> Iterator[str]:
    for part in [content] if whole else _all_releases(content):
        for error in validator.iter_errors(part):
            at = "/".join(str(step) for step in error.absolute_path) or "the package"
            yield f"--schema: {at}: {error.message[:300]}"


def _all_releases(parts: Sequence[Any]) -> Iterator[Any]:
    for part in parts:
        yield from [*part["releases"], part["compiledRelease"]] if "compiledRelease" in part else [part]


def _of_package(schemas: Any, kind: str) -> Mapping[str, Any] | None:
    return next((s for s in schemas if kind in s.get("properties", {}) and "ocid" not in s["properties"]), None)


def _of_release(schemas: Any) -> Mapping[str, Any] | None:
    return next((s for s in schemas if {"ocid", "initiationType"} <= s.get("properties", {}).keys()), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        schema = decode(path.read_bytes())
    except OSError as error:
        raise ConfigurationError([f"--schema: {path} cannot be read: {error.strerror}"]) from None
    except DecodeError as error:
        raise ConfigurationError([f"--schema: {path} is no JSON: {error}"]) from None
    if not isinstance(schema, dict):
        raise ConfigurationError([f"--schema: {path} is no JSON schema: it is no object"])
    return schema

"""Contract templates in files: those that come with Milepost, and those of the house (`templates: DIR`).

A template is a registration without what every contract says for itself. A house's own one of the same name goes first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct
from msgspec.json import decode, encode

from contracts_schema.errors import ConfigurationError
from contracts_schema.template import NAMES_TEMPLATE, nearest
from services.wiring.loader import Loader

SUFFIX = ".yaml"


class Template(Struct, frozen=True):
    """One template: its file, the comment at its head, its content, and the nodes that tell lines."""

    name: str
    path: Path
    about: str
    content: dict[str, Any]
    node: Any


class TemplateLine(Struct, frozen=True):
    """One template in a list."""

    template: str
    milestones: tuple[str, ...]
    about: str
    file: str


def shipped_folder() -> Path:
    """Where the templates that come with Milepost lie."""
    import contracts_schema

    return Path(contracts_schema.__file__).parent / "templates"


class Templates:
    """The templates that there are; each is read when it is asked for."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._files: dict[str, Path] = {}
        for place in (shipped_folder(), folder):
            if place is not None:
                self._files |= {path.stem: path for path in sorted(place.glob(f"*{SUFFIX}"))}
        self._read: dict[str, Template] = {}

    @property
    def names(self) -> list[str]:
        """Every name, sorted."""
        return sorted(self._files)

    def get(self, name: object) -> Template:
        """A template by name.

        Raises:
            ConfigurationError: there is none, or its file cannot be read.
        """
        if not isinstance(name, str) or name not in self._files:
            raise ConfigurationError([f"no template is called {name!r}; {nearest(str(name), self._files)}"])
        if name not in self._read:
            self._read[name] = read_template(name, self._files[name])
        return self._read[name]

    def lines(self) -> list[TemplateLine]:
        """All templates, for a list."""
        found = [self.get(name) for name in self.names]
        return [
            TemplateLine(t.name, tuple(m["id"] for m in t.content["milestones"]), t.about, str(t.path)) for t in found
        ]

    def own(self) -> list[Template]:
        """The house's own templates."""
        return [found for name in self.names if (found := self.get(name)).path.parent == self.folder]

    def faults(self) -> list[str]:
        """What is wrong with the house's folder and the files in it."""
        if self.folder is None:
            return []
        if not self.folder.is_dir():
            return [f"templates: {self.folder} is no folder; create it, or leave the setting out"]
        faults = []
        for name in self.names:
            try:
                self.get(name)
            except ConfigurationError as error:
                faults += [f"templates: {fault}" for fault in error.faults]
        return faults


def read_template(name: str, path: Path) -> Template:
    """One template from its file.

    Raises:
        ConfigurationError: it is no mapping with milestones that have ids, or builds on another template.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node, content = yaml.compose(text, Loader), decode(encode(yaml.load(text, Loader)))  # noqa: S506 -- it is safe
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path} cannot be read: {getattr(error, 'strerror', None) or 'no UTF-8'}"]) from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ConfigurationError([f"{path} is no YAML: {' '.join(str(error).split())[:200]}"]) from None
    if not isinstance(content, dict) or not _has_milestones(content):
        raise ConfigurationError([f"{path} is no template: it needs a list of milestones, each with its own id"])
    if NAMES_TEMPLATE in content:
        raise ConfigurationError([f"{path}: a template cannot build on another one; write it out"])
    return Template(name, path, _head(text), content, node)


def _has_milestones(content: dict[str, Any]) -> bool:
    milestones = content.get("milestones")
    if not isinstance(milestones, list) or not milestones:
        return False
    ids = [m.get("id") if isinstance(m, dict) else None for m in milestones]
    return all(isinstance(name, str) for name in ids) and len(set(ids)) == len(ids)


def _head(text: str) -> str:
    """The first paragraph of the comment at the head of the file."""
    words = []
    for line in text.splitlines():
        if not line.startswith("# "):
            break
        words.append(line[2:].strip())
    return " ".join(words)

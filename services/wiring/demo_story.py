"""The story of `milepost demo`: records in their systems' own words, from the files in `services/demo/`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml

import services
from services.settings import Settings, check

FOLDER = Path(services.__file__).parent / "demo"


class Instalment(NamedTuple):
    """A payable line under which finance has an invoice."""

    number: int
    maturity: date
    gross: str


class Letter(NamedTuple):
    """One record as a system sends it; `timestamp` in milliseconds. `books`: what finance posts at the same moment."""

    source: str
    topic: str
    key: str
    value: bytes
    timestamp: int
    tells: str
    books: tuple[Instalment, ...]

    @property
    def document(self) -> Any:
        """The payload, where it is JSON."""
        return json.loads(self.value)


class Scene(NamedTuple):
    """Records that belong together, and what follows from them."""

    title: str
    letters: tuple[Letter, ...]
    so: str


class Ahead(NamedTuple):
    """What the account looks ahead to: this milestone comes so many working days later."""

    contract: str
    milestone: str
    days: int


class Story(NamedTuple):
    """The whole story and the configuration it is played under."""

    contracts: tuple[str, ...]
    ahead: Ahead
    scenes: tuple[Scene, ...]
    config: Mapping[str, Any]

    def settings(self, bootstrap: str, dsn: str, finance_url: str, token_file: Path) -> Settings:
        """The configuration, with the addresses of the servers that run."""
        [(name, system)] = self.config["finance"].items()
        finance = {name: {**system, "url": finance_url, "token_file": str(token_file)}}
        kafka = {"bootstrap_servers": bootstrap, "embedded": True, "replication": 1}
        return check({**self.config, "kafka": kafka, "postgres": {"dsn": dsn, "embedded": True}, "finance": finance})

    def lines(self) -> Iterator[bytes]:
        """The records as `milepost try` reads them, one JSON object a line."""
        for letter in (letter for scene in self.scenes for letter in scene.letters):
            line = {"topic": letter.topic, "key": letter.key, "value": letter.value.decode()}
            yield json.dumps(line | {"timestamp": letter.timestamp}, ensure_ascii=False).encode() + b"\n"


def read_story() -> Story:
    """The story that ships with Milepost."""
    config = yaml.safe_load((FOLDER / "milepost.yaml").read_text(encoding="utf-8"))
    story = yaml.safe_load((FOLDER / "story.yaml").read_text(encoding="utf-8"))
    topics = {name: source["topic"] for name, source in config["sources"].items()}
    scenes = tuple(
        Scene(scene["title"], tuple(_letter(record, topics) for record in scene["records"]), scene["so"])
        for scene in story["scenes"]
    )
    return Story(tuple(story["contracts"]), Ahead(**story["ahead"]), scenes, config)


def write_for_try(folder: Path) -> tuple[Path, Path]:
    """Write the story's configuration and records into a folder; their paths, as `milepost try` wants them."""
    folder.mkdir(parents=True, exist_ok=True)
    config, records = folder / "milepost.yaml", folder / "records.jsonl"
    config.write_bytes((FOLDER / "milepost.yaml").read_bytes())
    records.write_bytes(b"".join(read_story().lines()))
    return config, records


def _letter(record: Mapping[str, Any], topics: Mapping[str, str]) -> Letter:
    moment = datetime.fromisoformat(record["at"]).astimezone(UTC)
    books = tuple(Instalment(line["line"], line["maturity"], line["gross"]) for line in record.get("books", ()))
    value = (FOLDER / "story" / record["file"]).read_bytes()
    return Letter(
        record["from"], topics[record["from"]], record["key"], value, round(moment.timestamp() * 1000),
        record["tells"], books,
    )  # fmt: skip

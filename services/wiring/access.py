"""Who may read and write which topic, from the configuration: a principal for each kind of process and each source.

That nobody but the worker may write the topic of commands is what makes a release one of ours: the gate believes the
log, but everybody else who reads that topic believes the topic.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.kafka.acl import Allowed, Operation, commands
from services.settings import Settings

WORKER, GATE, COLLECT = "milepost-worker", "milepost-gate", "milepost-collect"
OFFICE = "milepost-office"  # people at the command line: registrations, sign-offs, holds
REDRIVE = "milepost-redrive"  # `quarantine redrive` sends records again as their sources did
CONSOLE = "milepost-console"  # reads what Milepost says; with logins that may act it speaks as their source
ADMIN = "milepost-admin"  # `topics plan` and `topics apply`
SPOKEN = ("operator", "register")


def allowed(settings: Settings) -> list[Allowed]:
    """Everything that has to be allowed, sorted; whatever is missing here is denied."""
    return sorted({*_processes(settings), *_people(settings), *_systems(settings)})


def shell(settings: Settings, login: str) -> list[str]:
    """The kafka-acls.sh commands that allow it."""
    return list(commands(allowed(settings), settings.kafka.bootstrap_servers, login))


def _processes(settings: Settings) -> Iterator[Allowed]:
    sources, said = _read(settings), set(settings.topics.model_dump().values())
    yield from _topics(WORKER, sources | {settings.topics.commands}, "Read")
    yield from _topics(WORKER, said, "Write")
    yield Allowed(WORKER, "group", settings.kafka.group, False, "Read")
    yield from _topics(GATE, {settings.topics.commands}, "Read")
    yield from _topics(GATE, {settings.source_table()[name].topic for name in settings.finance}, "Write")
    for name in settings.finance:
        yield Allowed(GATE, "group", f"{settings.kafka.group}-gate-{name}", False, "Read")
    for process in (WORKER, GATE):  # both refuse to start on topics that are not safe
        yield from _topics(process, sources | said, "Describe", "DescribeConfigs")
        yield Allowed(process, "cluster", "kafka-cluster", False, "DescribeConfigs")
    asked = {s.topic for s in settings.sources.values() if s.collect or s.webhook}
    yield from _topics(COLLECT, asked, "Write")


def _people(settings: Settings) -> Iterator[Allowed]:
    sources, said = _read(settings), set(settings.topics.model_dump().values())
    spoken = {source.topic for source in settings.source_table().values() if source.role in SPOKEN}
    yield from _topics(OFFICE, spoken, "Write")
    yield from _topics(REDRIVE, sources, "Write")
    yield from _topics(CONSOLE, said, "Read")
    yield from _topics(CONSOLE, sources, "Describe")
    yield from _topics(CONSOLE, {settings.source_table()[name].topic for name in _spoken_at_console(settings)}, "Write")
    yield Allowed(CONSOLE, "group", CONSOLE, True, "Read")
    yield from _topics(ADMIN, sources | said, "Create", "Alter", "AlterConfigs", "DescribeConfigs")
    yield Allowed(ADMIN, "cluster", "kafka-cluster", False, "DescribeConfigs")


def _systems(settings: Settings) -> Iterator[Allowed]:
    """Each source writes its own topic; finance reads the commands too."""
    for name, source in settings.source_table().items():
        yield from _topics(name, {source.topic}, "Write")
        if source.role == "finance":
            yield from _topics(name, {settings.topics.commands}, "Read")
            yield Allowed(name, "group", name, True, "Read")


def _spoken_at_console(settings: Settings) -> list[str]:
    """The source as which persons speak at the console, where any of them may act."""
    if not any("act" in login.may for login in settings.console.logins.values()):
        return []
    operators = [name for name, source in settings.source_table().items() if source.role == "operator"]
    return [name for name in operators if settings.console.source in (None, name)]


def _read(settings: Settings) -> set[str]:
    return {source.topic for source in settings.source_table().values()}


def _topics(principal: str, names: set[str], *operations: Operation) -> Iterator[Allowed]:
    for name in names:
        for operation in operations:
            yield Allowed(principal, "topic", name, False, operation)

"""Topics: what is wanted, what would change, changing it, and what is unsafe to start on.

aiokafka speaks only the old AlterConfigs, which replaces *all* settings of a topic. So the present ones are read
first and sent again with the change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import yaml
from aiokafka.admin import NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from connectors.kafka.cluster import Layout, administering, layouts
from connectors.kafka.connection import ENVELOPE, MISSING, KafkaConnection, as_ours
from contracts_schema.errors import ConfigurationError, TransientError

_SEEN_WITHIN_S = 10
_SET_ON_TOPIC = 1  # config source: set on this topic, not inherited from the broker


@dataclass(frozen=True)
class Topic:
    """A topic as wanted. `written`: Milepost writes it."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str] = field(default_factory=dict)
    written: bool = False


class Step(NamedTuple):
    """One thing to change. `partitions` moves keys to other partitions and is done only when asked for by name;
    `impossible` needs an administrator's hand."""

    topic: Topic
    action: Literal["create", "configure", "partitions", "impossible"]
    sentence: str


class Setting(NamedTuple):
    value: str
    on_topic: bool


def read_topics(text: str, names: Mapping[str, str] | None = None, replication: int | None = None) -> list[Topic]:
    """The topics of a topics.yaml; `names` renames default topics, `replication` overrides all copies.

    Raises:
        ConfigurationError: the text is no topics.yaml.
    """
    try:
        document = yaml.safe_load(text)
        defaults = document["defaults"]
        topics = [_topic(name, defaults, wanted or {}) for name, wanted in document["topics"].items()]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigurationError([f"topics: not a list of topics with defaults: {error!r}"]) from error
    return [_adapted(topic, names or {}, replication) for topic in topics]


async def plan(connection: KafkaConnection, wanted: Sequence[Topic]) -> list[Step]:
    """What separates the cluster from what is wanted; nothing when it is as wanted.

    Raises:
        TransientError, ConfigurationError: the cluster does not answer, or refuses.
    """
    async with administering(connection) as client:
        present = await layouts(client, [topic.name for topic in wanted])
        settings = await _settings(client, list(present))
    steps: list[Step] = []
    for topic in wanted:
        if topic.name in present:
            steps += _differences(topic, present[topic.name], settings[topic.name])
        else:
            steps.append(Step(topic, "create", f"create {topic.name} with {topic.partitions} partitions"))
    return steps


async def apply(
    connection: KafkaConnection, wanted: Sequence[Topic], raise_partitions: bool = False
) -> tuple[list[Step], list[Step]]:
    """Bring the cluster to what is wanted; the steps done, and those left undone. Doing it again does nothing.

    Raises:
        TransientError, ConfigurationError: the cluster does not answer, or refuses a step.
    """
    steps = await plan(connection, wanted)
    willing = {"create", "configure", "partitions"} if raise_partitions else {"create", "configure"}
    done = [step for step in steps if step.action in willing]
    async with administering(connection) as client:
        for step in done:
            await _do(client, step)
    await _until_seen(connection, wanted, done)
    return done, [step for step in steps if step not in done]


async def unsafe(
    connection: KafkaConnection, wanted: Sequence[Topic], record_bytes: int, require_replication: int = 3
) -> list[str]:
    """Why Milepost should not start on these topics, a sentence each; empty if it may.

    `record_bytes` is the largest record we write, `require_replication` 1 where a single broker is wanted.

    Raises:
        TransientError, ConfigurationError: the cluster does not answer, or refuses.
    """
    async with administering(connection) as client:
        present = await layouts(client, [topic.name for topic in wanted])
        settings = await _settings(client, list(present))
        faults = await _automatic_topics(client)
    for topic in wanted:
        if topic.name not in present:
            faults.append(f"kafka: topic {topic.name} does not exist; {MISSING}")
            continue
        copies = present[topic.name].replication
        if copies < require_replication:
            faults.append(
                f"kafka: {topic.name} has {copies} copies, not {require_replication}: a lost disk loses money"
            )
        values = {name: setting.value for name, setting in settings[topic.name].items()}
        faults += _unsafe_settings(topic, values, record_bytes, require_replication)
    return faults


async def _until_seen(connection: KafkaConnection, wanted: Sequence[Topic], done: Sequence[Step]) -> None:
    """A broker confirms a change before every broker tells of it."""
    try:
        async with asyncio.timeout(_SEEN_WITHIN_S):
            while _signs(await plan(connection, wanted)) & _signs(done):  # noqa: ASYNC110  no event tells of it
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise TransientError("kafka: the changes are confirmed, but do not show yet") from error


def _signs(steps: Sequence[Step]) -> set[tuple[str, str]]:
    return {(step.topic.name, step.action) for step in steps}


def _unsafe_settings(topic: Topic, values: Mapping[str, str], record_bytes: int, require_replication: int) -> list[str]:
    in_sync, policy = int(values["min.insync.replicas"]), values["cleanup.policy"]
    kept, least = int(values["retention.ms"]), int(topic.config.get("retention.ms", 0))
    largest, needed = int(values["max.message.bytes"]), record_bytes + ENVELOPE if topic.written else 0
    compacted = "compact" in topic.config.get("cleanup.policy", "delete")
    faults = []
    if in_sync < 2 <= require_replication:
        faults.append(f"min.insync.replicas is {in_sync}, not 2: one copy alone could acknowledge")
    if values["unclean.leader.election.enable"] == "true":
        faults.append("unclean.leader.election.enable is on: acknowledged records could vanish")
    if compacted and policy != "compact":
        faults.append(f"cleanup.policy is {policy}, not compact: milestones would disappear from it")
    if not compacted and "compact" in policy:
        faults.append(f"cleanup.policy is {policy}, not delete: all but the newest record of a contract would vanish")
    if "delete" in policy and _shorter(kept, least):
        faults.append(f"retention.ms is {kept}, less than {least}: records could expire before they are read")
    if largest < needed:
        faults.append(f"max.message.bytes is {largest}, but our largest record needs {needed}")
    return [f"kafka: {topic.name}: {fault}" for fault in faults]


async def _automatic_topics(client: Any) -> list[str]:
    """A sentence if a broker makes topics by itself. Where its settings may not be read, nothing is said."""
    faults = []
    for broker in (await client.describe_cluster())["brokers"]:
        asked = ConfigResource(ConfigResourceType.BROKER, str(broker["node_id"]), {"auto.create.topics.enable": ""})
        for answer in await client.describe_configs([asked]):
            for _, _, _, name, entries in answer.resources:
                if any(entry[1] == "true" for entry in entries):
                    faults.append(
                        f"kafka: broker {name} has auto.create.topics.enable on: a misspelt topic goes unseen"
                    )
    return faults


async def _settings(client: Any, topics: Sequence[str]) -> dict[str, dict[str, Setting]]:
    found: dict[str, dict[str, Setting]] = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    for answer in await client.describe_configs(resources) if resources else []:
        for code, message, _, topic, entries in answer.resources:
            if code:
                raise as_ours(for_code(code)(message or ""), f"read the settings of {topic}")
            found[topic] = {entry[0]: Setting(entry[1], entry[3] == _SET_ON_TOPIC) for entry in entries}
    return found


def _differences(topic: Topic, present: Layout, settings: Mapping[str, Setting]) -> list[Step]:
    steps = []
    if present.partitions < topic.partitions:
        sentence = (
            f"raise {topic.name} from {present.partitions} to {topic.partitions} partitions: keys move to other "
            "partitions, so records of one key written before and after may be read out of order"
        )
        steps.append(Step(topic, "partitions", sentence))
    if present.partitions > topic.partitions:
        sentence = (
            f"{topic.name} has {present.partitions} partitions, {topic.partitions} are wanted: Kafka never removes one"
        )
        steps.append(Step(topic, "impossible", sentence))
    if present.replication != topic.replication:
        sentence = (
            f"{topic.name} has {present.replication} copies, {topic.replication} are wanted: reassign its partitions"
        )
        steps.append(Step(topic, "impossible", sentence))
    other = {name: value for name, value in topic.config.items() if settings[name].value != value}
    if other:
        changes = ", ".join(f"{name} {settings[name].value} -> {value}" for name, value in sorted(other.items()))
        steps.append(Step(topic, "configure", f"configure {topic.name}: {changes}"))
    return steps


async def _do(client: Any, step: Step) -> None:
    topic = step.topic
    if step.action == "create":
        new = NewTopic(topic.name, topic.partitions, topic.replication, topic_configs=dict(topic.config))
        for _, code, message in (await client.create_topics([new])).topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise as_ours(for_code(code)(message or ""), step.sentence)
    elif step.action == "partitions":
        await client.create_partitions({topic.name: NewPartitions(topic.partitions)})
    else:
        present = (await _settings(client, [topic.name]))[topic.name]
        kept = {name: setting.value for name, setting in present.items() if setting.on_topic}
        resource = ConfigResource(ConfigResourceType.TOPIC, topic.name, {**kept, **topic.config})
        for answer in await client.alter_configs([resource]):
            for code, message, *_ in answer.resources:
                if code:
                    raise as_ours(for_code(code)(message or ""), step.sentence)


def _topic(name: str, defaults: Mapping[str, Any], wanted: Mapping[str, Any]) -> Topic:
    config = {**defaults.get("config", {}), **wanted.get("config", {})}
    return Topic(
        name=name,
        partitions=int(wanted.get("partitions", defaults["partitions"])),
        replication=int(wanted.get("replication", defaults["replication"])),
        config={key: str(value) for key, value in config.items()},
        written=bool(wanted.get("written", False)),
    )


def _adapted(topic: Topic, names: Mapping[str, str], replication: int | None) -> Topic:
    topic = replace(topic, name=names.get(topic.name, topic.name))
    if replication is None:
        return topic
    in_sync = min(int(topic.config.get("min.insync.replicas", 1)), max(1, replication - 1))
    return replace(topic, replication=replication, config={**topic.config, "min.insync.replicas": str(in_sync)})


def _shorter(kept_ms: int, least_ms: int) -> bool:
    return kept_ms != -1 and (least_ms == -1 or kept_ms < least_ms)

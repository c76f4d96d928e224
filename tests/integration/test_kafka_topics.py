"""Topics on a real broker: made once, then as wanted, and whatever is unsafe about them is named."""

from dataclasses import replace
from pathlib import Path

from connectors.kafka.topics import Topic, apply, plan, read_topics, unsafe

TOPICS = Path(__file__).parents[2] / "deploy" / "topics.yaml"


def named(hall, **changes):
    wanted = read_topics(TOPICS.read_text(), {"milestone.snapshots": f"snapshots-{hall.group}"}, replication=1)
    return [replace(topic, partitions=2, **changes) for topic in wanted if hall.group in topic.name]


async def test_topics_are_created_once_and_then_as_wanted(hall):
    wanted = named(hall)
    done, left = await apply(hall.connection, wanted)
    assert [step.action for step in done] == ["create"]
    assert not left
    assert not await plan(hall.connection, wanted)
    assert await apply(hall.connection, wanted) == ([], [])
    assert await unsafe(hall.connection, wanted, 1_000_000, require_replication=1) == []


async def test_a_changed_setting_leaves_the_others_as_they_were(hall):
    await apply(hall.connection, named(hall))
    wanted = named(hall, config={"max.message.bytes": "2000000"})
    done, _ = await apply(hall.connection, wanted)
    assert [step.action for step in done] == ["configure"]
    assert await unsafe(hall.connection, named(hall), 1_900_000, require_replication=1) == []


async def test_partitions_are_raised_only_when_that_was_asked_for(hall):
    await apply(hall.connection, named(hall))
    wanted = [replace(topic, partitions=4) for topic in named(hall)]
    done, left = await apply(hall.connection, wanted)
    assert not done
    assert [step.action for step in left] == ["partitions"]
    assert "keys move" in left[0].sentence
    assert [step.action for step in (await apply(hall.connection, wanted, raise_partitions=True))[0]] == ["partitions"]
    assert [step.action for step in await plan(hall.connection, named(hall))] == ["impossible"]


async def test_everything_unsafe_about_a_topic_is_named(hall):
    careless = Topic(f"careless-{hall.group}", 1, 1, {"cleanup.policy": "compact", "max.message.bytes": "1000"})
    await apply(hall.connection, [careless])
    wanted = Topic(careless.name, 1, 3, {"cleanup.policy": "delete", "retention.ms": "-1"}, written=True)
    absent = Topic(f"absent-{hall.group}", 1, 3)
    faults = await unsafe(hall.connection, [wanted, absent], 1_000_000)
    for expected in (
        "1 copies, not 3",
        "min.insync.replicas is 1",
        "cleanup.policy is compact",
        "max.message.bytes is",
    ):
        assert any(careless.name in fault and expected in fault for fault in faults), expected
    assert f"kafka: topic {absent.name} does not exist; run `milepost topics apply`" in faults


async def test_a_topic_that_forgets_too_soon_is_named(hall):
    topic = Topic(f"short-{hall.group}", 1, 1, {"retention.ms": "60000", "unclean.leader.election.enable": "true"})
    await apply(hall.connection, [topic])
    wanted = replace(topic, config={"retention.ms": "-1"})
    faults = await unsafe(hall.connection, [wanted], 1_000, require_replication=1)
    assert len(faults) == 2
    assert any("retention.ms is 60000" in fault for fault in faults)
    assert any("unclean.leader.election.enable is on" in fault for fault in faults)

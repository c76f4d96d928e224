"""What has to stand in several places is the same in all of them."""

from pathlib import Path

import yaml
from typer.main import get_command

from contracts_schema.asyncapi import CHANNELS
from contracts_schema.rows import Lane
from contracts_schema.schemas import fact_kinds
from services.cli import app
from services.cli.sections import SECTIONS
from services.reconciliation.policy import DEFAULT_AUTHORITY, FIELD_OF
from services.runtime.outgoing import Topics
from services.settings import TopicNames
from services.wiring.doors import PATTERNS, WRITTEN

SHIPPED = yaml.safe_load((Path(__file__).parents[2] / "deploy/topics.yaml").read_text())["topics"]


def test_topics_have_one_name_each_wherever_they_are_named():
    told = {name: channel.topic for name, channel in CHANNELS.items()}
    assert told == {**PATTERNS, **WRITTEN}
    assert set(told.values()) == SHIPPED.keys()
    topics = {name: getattr(Topics(), name) for name in Topics.__struct_fields__ if name != "left_out"}
    assert TopicNames().model_dump() == WRITTEN == topics
    assert {lane.name.lower() for lane in Lane} == WRITTEN.keys()


def test_of_every_kind_of_fact_it_is_known_who_is_believed():
    assert FIELD_OF.keys() == fact_kinds().keys()
    assert set(FIELD_OF.values()) <= DEFAULT_AUTHORITY.keys()


def test_help_has_a_place_for_every_command_and_for_no_other():
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(get_command(app).commands)

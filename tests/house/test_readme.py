"""What README.md shows to newcomers works: its configuration is whole, and its event is read as a fact."""

import re
from pathlib import Path

import yaml

from contracts_schema.facts import GoodsReceived
from contracts_schema.records import Record, Source
from mappers.translate import Translator
from services.settings import check

README = (Path(__file__).parents[2] / "README.md").read_text()


def shown(language):
    [block] = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return block


def test_the_configuration_that_it_shows_is_whole():
    assert set(check(yaml.safe_load(shown("yaml"))).finance) == {"ap-eu"}


def test_the_event_that_it_shows_is_read_as_a_fact():
    erp = Source("our-erp", "milepost", "erp", "erp.events")
    [fact] = Translator({erp.name: erp}).translate(Record("erp.events", 0, 0, 0, None, (), shown("json").encode()), erp)
    assert isinstance(fact.body, GoodsReceived)
    assert (fact.address.contract, fact.address.milestone) == ("C-2026-0042", "M2")

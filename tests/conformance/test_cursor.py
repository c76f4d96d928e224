"""What every cursor of the collectors promises, memory and Postgres alike."""

import pytest

from connectors.memory_cursor import MemoryCursor
from connectors.postgres import PostgresSettings
from connectors.postgres.cursor import PostgresCursor
from contracts_schema.collected import Place, Told

ONE, OTHER = Told(b"\x00one", "2026-01-01T00:00:00Z", 5), Told(b"\x01other", "", 6)
PLACE = Place(1_700_000_000_000_000, 7, 3)
KIND = ("erp-eu", "account.invoice")


@pytest.fixture
async def cursor(store_dsn):
    if store_dsn is None:
        yield MemoryCursor()
        return
    async with PostgresCursor(PostgresSettings(dsn=store_dsn)) as opened:
        yield opened


async def test_what_was_never_read_stands_at_the_beginning(cursor):
    assert await cursor.place(*KIND) == Place(0, 0, 0)
    assert await cursor.told(*KIND, [1]) == {}


async def test_a_place_and_what_was_told_are_kept_together(cursor):
    await cursor.keep(*KIND, PLACE, {1: ONE, 2: OTHER})
    assert await cursor.place(*KIND) == PLACE
    assert await cursor.told(*KIND, [2, 3]) == {2: OTHER}


async def test_what_is_told_anew_replaces_what_was_told(cursor):
    await cursor.keep(*KIND, PLACE, {1: ONE})
    await cursor.keep(*KIND, Place(), {1: OTHER})
    assert await cursor.told(*KIND, [1]) == {1: OTHER}
    assert await cursor.place(*KIND) == Place()


async def test_what_is_gone_is_forgotten(cursor):
    await cursor.keep(*KIND, PLACE, {1: ONE, 2: OTHER})
    await cursor.keep(*KIND, PLACE, {1: None, 9: None})
    assert await cursor.told(*KIND, [1, 2, 9]) == {2: OTHER}


async def test_a_range_has_its_upper_end_and_not_its_lower(cursor):
    await cursor.keep(*KIND, PLACE, dict.fromkeys((12, 2, 3, 4), ONE))
    assert list(await cursor.told_between(*KIND, 2, 4)) == [3, 4]
    assert list(await cursor.told_between(*KIND, 3, None)) == [4, 12]


async def test_sources_and_kinds_do_not_meet(cursor):
    await cursor.keep(*KIND, PLACE, {1: ONE})
    assert await cursor.told("erp-us", KIND[1], [1]) == {}
    assert await cursor.told_between(KIND[0], "project.work", 0, None) == {}
    assert await cursor.place("erp-us", KIND[1]) == Place()


async def test_what_hinders_a_source_stands_until_it_is_asked_with_success(cursor):
    await cursor.say("pm", "403 for issues.json")
    await cursor.say("erp-eu", None)
    standings = await cursor.standings()
    assert [(s.source, s.sentence) for s in standings] == [("erp-eu", None), ("pm", "403 for issues.json")]
    assert all(s.at > 1_700_000_000_000_000 for s in standings)
    await cursor.say("pm", None)
    assert [s.sentence for s in await cursor.standings()] == [None, None]

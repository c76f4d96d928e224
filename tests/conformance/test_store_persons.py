"""Whom pseudonyms mean: what every store promises."""

import pytest
from store_rows import commit, log_row

from contracts_schema.rows import Changes

ANN, BOB, CEM = (f"person-{n * 20}" for n in "abc")


async def names(store, after="", limit=10):
    return [(row.pseudonym, row.name) for row in await store.persons(after, limit)]


async def test_who_is_met_is_known_and_stays_as_first_met(store):
    before = await store.now()
    await commit(store, Changes(persons=[(ANN, "ann"), (CEM, "Cem Öz")]))
    await commit(store, Changes(persons=[(ANN, "another"), (BOB, "bob")]))
    assert await names(store) == [(ANN, "ann"), (BOB, "bob"), (CEM, "Cem Öz")]
    assert await names(store, after=ANN, limit=1) == [(BOB, "bob")]
    assert [row.name for row in await store.persons_of({CEM, ANN, "person-nobody"})] == ["ann", "Cem Öz"]
    assert await store.persons_of([]) == []
    first, *_ = await store.persons("", 1)
    assert before <= first.first_seen <= await store.now()


async def test_they_are_written_with_their_batch_or_not_at_all(store):
    with pytest.raises(RuntimeError):
        await dying(store)
    assert await names(store) == []


async def dying(store):
    async with store.batch() as batch:
        await batch.write(Changes(log=[log_row()], persons=[(ANN, "ann")]))
        raise RuntimeError("it dies between writing and the commit")


async def test_who_is_erased_is_known_no_more_until_met_again(store):
    await commit(store, Changes(persons=[(ANN, "ann"), (BOB, "bob")]))
    assert await store.erase_persons([ANN, CEM]) == 1
    assert await store.erase_persons([ANN, CEM]) == 0
    assert await names(store) == [(BOB, "bob")]
    await commit(store, Changes(persons=[(ANN, "ann")]))
    assert await names(store) == [(ANN, "ann"), (BOB, "bob")]


async def test_a_store_has_one_key_and_it_is_no_person(store):
    assert await store.person_key(None) is None
    assert await store.person_key("0f") == "0f"
    assert await store.person_key("1e") == await store.person_key(None) == "0f"
    assert await names(store) == []
    assert await store.persons_of(["key"]) == []
    assert await store.erase_persons(["key"]) == 0
    assert await store.person_key(None) == "0f"

"""Records that could not be used: what every store promises."""

from store_rows import commit, parked_row, quarantined

from contracts_schema.rows import Changes


async def test_a_quarantined_record_is_listed_without_its_value_and_shown_with_it(store):
    await commit(store, Changes(quarantine=[quarantined("q1"), quarantined("q2", value=None)]))
    listed = await store.quarantine(10)
    assert [(row.id, row.value) for row in listed] == [("q2", None), ("q1", None)]
    assert [row.id for row in await store.quarantine(1)] == ["q2"]
    assert await store.quarantined("q1") == (quarantined("q1"), "open")
    assert await store.quarantined("q9") is None


async def test_quarantine_is_idempotent_by_id(store):
    await commit(store, Changes(quarantine=[quarantined(), quarantined(sentence="again")]))
    await commit(store, Changes(quarantine=[quarantined(sentence="other")]))
    assert [row.sentence for row in await store.quarantine(10)] == ["no JSON"]


async def test_a_settled_record_is_no_longer_listed(store):
    await commit(store, Changes(quarantine=[quarantined("q1"), quarantined("q2")]))
    assert await store.settle_quarantine("q1", "discarded")
    assert not await store.settle_quarantine("q1", "redriven")
    assert not await store.settle_quarantine("q9", "redriven")
    assert [row.id for row in await store.quarantine(10)] == ["q2"]
    assert (await store.quarantined("q1"))[1] == "discarded"


async def test_a_redriven_record_that_fails_again_is_open_again_and_a_discarded_one_is_not(store):
    await commit(store, Changes(quarantine=[quarantined("q1"), quarantined("q2")]))
    await store.settle_quarantine("q1", "redriven")
    await store.settle_quarantine("q2", "discarded")
    await commit(store, Changes(quarantine=[quarantined("q1", sentence="still"), quarantined("q2")]))
    assert [(row.id, row.sentence) for row in await store.quarantine(10)] == [("q1", "still")]


async def test_a_sentence_that_quotes_odd_bytes_is_kept(store):
    row = quarantined(sentence="bad id 'a\x00b' and \ud800")
    await commit(store, Changes(quarantine=[row], parked=[parked_row(reason="unknown \x00")]))
    assert (await store.quarantine(1))[0].sentence.startswith("bad id 'a")

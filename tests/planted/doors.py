"""Bugs of the doors and translators: collectors, webhooks, the publisher, what mappers let through."""

from planted.bug import Bug

COLLECT = "tests/unit/test_collect.py::test_"
WEBHOOKS = "tests/unit/test_collect_webhooks.py::test_"

BUGS = (
    Bug(
        "the collector remembers before it has published", "services/runtime/collect.py",
        "        await self._means.publisher.publish([self._row(one) for one in news])\n", "",
        "no input is lost",
        (COLLECT + "what_the_broker_did_not_confirm_is_told_again_and_the_cursor_stays",),
    ),
    Bug(
        "the cursor does not look back", "services/runtime/collect.py",
        "position - round(self._pace.overlap_s * 1e6)", "position",
        "no input is lost",
        (COLLECT + "a_transaction_that_is_committed_late_is_found_by_the_overlap",),
        unseen="source",
    ),
    Bug(
        "a webhook is accepted before the broker has it", "connectors/webhooks.py",
        "            await self._publish([self._row(request, body)])\n",
        "            asyncio.ensure_future(self._publish([self._row(request, body)]))\n",
        "no input is lost",
        (WEBHOOKS + "a_broker_that_is_down_is_503_and_then_202",),
        unseen="source",
    ),
    Bug(
        "a webhook's signature is not compared", "connectors/webhooks.py",
        "        if prefix != self._hook.prefix or not any(fits):\n", "        if prefix != self._hook.prefix:\n",
        "nobody speaks for another",
        (WEBHOOKS + "a_wrong_signature_is_refused_and_counted",),
        unseen="source",
    ),
    Bug(
        "a producer that was given up is used again", "connectors/kafka/publisher.py",
        "            if self._producer is producer:\n                self._producer = None\n", "",
        "order inside a contract",
        ("tests/integration/test_kafka.py::test_a_publish_that_is_cancelled_leaves_the_publisher_usable",),
        server=True,
        unseen="Kafka",
    ),
    Bug(
        "the listener does not wait for the running batch", "connectors/kafka/feed.py",
        "                await self._on_revoked([as_partition(place) for place in places])\n",
        "                asyncio.ensure_future(self._on_revoked([as_partition(place) for place in places]))\n",
        "a partition has one reader",
        ("tests/conformance/test_feed.py::test_a_partition_is_handed_over_when_its_batch_is_done_and_nothing_is_lost_or_doubled",),
        server=True,
        unseen="fence",
    ),
    Bug(
        "doubled keys of a JSON object are let through", "mappers/strict_json.py",
        "        if key in result:\n", "        if key in ():\n",
        "what is ambiguous is unreadable",
        ("tests/unit/test_strict_json.py",),
    ),
    Bug(
        "a machine of another role registers", "mappers/canonical.py",
        '    if source.role != "register":\n', '    if source.role == "nobody":\n',
        "only the register registers",
        ("tests/tables/test_scenarios.py",),
    ),
    Bug(
        "a date in the future is believed", "services/reconciliation/admission.py",
        "        sentence = _implausible(fact, recorded_at)\n", "        sentence = None\n",
        "what is implausible is unreadable",
        ("tests/unit/test_admission.py::test_an_actual_date_or_a_time_more_than_a_day_ahead_is_unreadable",),
    ),
    Bug(
        "one person waives alone", "services/reconciliation/admission.py",
        "        refusal = _not_allowed(fact, rules)\n", "        refusal = None\n",
        "four eyes are those of two persons",
        ("tests/unit/test_admission.py::test_what_is_not_allowed_is_refused_and_raises_no_doubt",),
    ),
)  # fmt: skip

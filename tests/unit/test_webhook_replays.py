"""A signed delivery that somebody sends again, later or in another order: it is taken, and changes nothing."""

import json
from datetime import datetime, timedelta
from hmac import HMAC

import httpx
import pytest
from attacks import GOLDEN
from builders import OWNER, Story, a_contract, a_milestone, done, micros, registered

from connectors.webhooks import Hook, receiver
from contracts_schema.records import Record, Source
from contracts_schema.rows import OffsetRange, Partition
from services.reconciliation.policy import Policy, make_rules
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics
from services.runtime.reading import Reader

PM = Source("pm", "redmine", "project", "pm.events", "UTC", frozenset({"Closed"}), frozenset({"New"}))
REGISTER = Source("register", "milepost", "register", "register.events")
SECRET = b"s3cret"
OPENED, CLOSED = (
    json.dumps(json.loads((GOLDEN / f"redmine/webhook_{name}.json").read_text())["value"]).encode()
    for name in ("opened", "closed")
)


class Site(Story):
    """A story that hears of issue 1 by webhook."""

    def __post_init__(self):
        super().__post_init__()
        self.rules = make_rules({"pm": "project", "register": "register"}, {}, Policy())
        self.hallway = Hallway(
            self.store, Reader({"pm": PM, "register": REGISTER}, self.rules, OWNER), self.rules, Topics(), "1"
        )
        self.now = datetime.fromisoformat("2026-11-22T02:00:00Z")
        self.tell(registered(a_contract(a_milestone(requires=["met"], refs={"pm": ["issue:1"]}))))

    async def publish(self, rows):
        for row in rows:
            self.now += timedelta(minutes=1)
            self.offset += 1
            record = Record(row.topic, 0, self.offset, micros(self.now) // 1000, row.key, row.headers, row.value)
            move = OffsetRange(OWNER, Partition(row.topic, 0), self.offset, self.offset + 1, micros(self.now))
            self.reports.append(done(self.hallway.carry([record], OWNER, [move], micros(self.now))))


@pytest.fixture
def site():
    return Site()


@pytest.fixture
async def deliver(site, tmp_path):
    (tmp_path / "secret").write_bytes(SECRET)
    hook = Hook("pm", "pm.events", "/pm", tmp_path / "secret", "X-Signature", prefix="sha256=", kind="issue")
    app = receiver([hook], site.publish, lambda *_: None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://it") as client:

        async def post(body):
            headers = {"X-Signature": "sha256=" + HMAC(SECRET, body, "sha256").hexdigest()}
            return (await client.post("/pm", content=body, headers=headers)).status_code

        yield post


async def test_an_old_delivery_that_is_sent_again_opens_nothing_again(site, deliver):
    assert [await deliver(body) for body in (OPENED, CLOSED)] == [202, 202]
    released = site.commands[-1]
    assert (site.released(), released["action"]) == (10_000, "release")
    assert [await deliver(body) for body in (OPENED, CLOSED, OPENED, CLOSED, CLOSED, OPENED)] == [202] * 6
    assert site.reasons() == []
    assert site.commands[-1] == released


async def test_deliveries_in_the_wrong_order_end_in_the_newest(site, deliver):
    assert [await deliver(body) for body in (CLOSED, OPENED)] == [202, 202]
    assert site.released() == 10_000

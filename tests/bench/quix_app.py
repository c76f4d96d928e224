"""The contender in Quix Streams: exactly-once, the three topics as one stream with one RocksDB store, the same rule.

python tests/bench/quix_app.py BOOTSTRAP PREFIX STATE_FOLDER COUNT     prints {"third"} and {"done"} in ms since 1970
"""

import json
import sys
import time
from datetime import datetime
from functools import reduce

from quixstreams import Application
from rule import allowed, learn, value_of

TOPICS = ("project.events", "erp.events", "operator.events")


class Rule:
    """Applies the rule, says when a third is handled, and stops when all are."""

    def __init__(self, count, stop):
        self.count, self.stop, self.handled = count, stop, 0

    def apply(self, event, state):
        """The command that follows, or None."""
        data = event["data"]
        name = data["milestone"]
        known = state.get(name) or {"assessed": [], "signed": {}, "invoice": None, "allowed": "0", "sequence": 0}
        learn(known, event["type"], datetime.fromisoformat(event["time"]).timestamp(), data)
        may = str(allowed(known, value_of(name)))
        changed = may != known["allowed"]
        known |= {"allowed": may, "sequence": known["sequence"] + changed}
        state.set(name, known)
        self.handled += 1
        if self.handled == self.count // 3:
            say("third")
        if self.handled == self.count:
            self.stop()
        if not changed:
            return None
        return {"contract": data["contract"], "milestone": name, "allowed": may, "sequence": known["sequence"]}


def say(what):
    print(json.dumps({what: time.time_ns() // 1_000_000}), flush=True)


def main(bootstrap, prefix, folder, count):
    app = Application(
        broker_address=bootstrap, consumer_group=prefix, auto_offset_reset="earliest", state_dir=folder,
        processing_guarantee="exactly-once", commit_interval=0.1, loglevel="ERROR",
    )  # fmt: skip
    topics = [app.topic(f"{prefix}.{name}", value_deserializer="json") for name in TOPICS]
    events = reduce(lambda one, other: one.concat(other), map(app.dataframe, topics))
    commands = events.apply(Rule(count, app.stop).apply, stateful=True).filter(lambda command: command is not None)
    commands.to_topic(app.topic(f"{prefix}.commands", value_serializer="json"))
    app.run()
    say("done")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))

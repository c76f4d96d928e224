"""A story in which a supplier's portal sends UBL documents beside the canonical events of all others."""

from builders import OWNER, SOURCES, Story, done

from contracts_schema.records import Source
from contracts_schema.rows import Partition
from services.reconciliation.policy import make_rules
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics
from services.runtime.reading import Reader

HOUSE = SOURCES | {"ubl": Source("ubl", "ubl", "supplier_portal", "ubl.events")}


class House(Story):
    """A story with a vendor's dialect beside the canonical ones: its documents have several parts (rule F9)."""

    def __post_init__(self):
        super().__post_init__()
        self.looked_at = None, {}
        self.rules = make_rules({name: source.role for name, source in HOUSE.items()}, self.people, self.policy, "ap")
        self.hallway = Hallway(self.store, Reader(HOUSE, self.rules, OWNER), self.rules, Topics(), self.release)
        done(self.store.take(OWNER, OWNER, {Partition(source.topic, 0) for source in HOUSE.values()}))

    def standings(self, contract="C-1"):
        """Worked out once for each state: as a whole, from its bytes alone."""
        raw = self.raw(contract)
        if contract != "C-1" or self.looked_at[0] is not raw:
            self.looked_at = raw, super().standings(contract)
        return self.looked_at[1]

"""What is known about one contract: every subject's newest word, and what was decided and said so far.

The state is the fold of the contract's log and can be thrown away. It is kept encoded (`encode_state`); a transaction
that fails leaves the old bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from contracts_schema.facts import Address, AnyBody, Fact
from contracts_schema.rows import InvoiceClaim

if TYPE_CHECKING:
    # The kind of a slot tells its body; readers pick slots by kind, which the type checker cannot follow.
    SomeBody = Any
else:
    SomeBody = AnyBody

# Version (-1 where unnumbered), time, mapper, id: newest wins (rule A1). Then the content, so that of two statements
# under one identity the same one is shown, whichever came first (law 1).
Order = tuple[int, int, int, str, bytes]


def order_of(fact: Fact, content: bytes) -> Order:
    """The fact's place in the order of its subject; a numbered fact is newer than any unnumbered one (rule A1)."""
    return (-1 if fact.version is None else fact.version, fact.time, fact.mapper, fact.id, content)


class Slot(Struct, array_like=True):
    """The newest word on one subject.

    `older` gives the order of fields that an older fact said and the newest left out (rule A4). `latest` is the newest
    own time of any fact of the subject. `clash` says that the source contradicts itself here (`repeats`: ids that said
    the same under the same version), `terms_clash` the same of an invoice's `terms` (rule A3). `history` lists every
    assessment (order, status). `parked` says why the fact waits, `waiting` where the records lie in which it came.
    `edition` is the newest version of the vendor `document` that contained the subject (rule F9); `created` lists when
    the object under the key was created (rule F8). `said` gives, where a subject has a kind for its beginning and one
    for its end, the newest own time of each (rule A11). `stood` is the milestone at which a person's hold or a dispute
    under a system's key stood before the plan changed.
    """

    source: str
    kind: str
    address: Address
    order: Order
    body: SomeBody
    latest: int
    older: dict[str, Order] | None = None
    clash: bool = False
    terms: bytes | None = None
    terms_clash: bool = False
    history: list[tuple[Order, str | None]] | None = None
    parked: str | None = None
    waiting: list[str] | None = None
    document: str | None = None
    edition: int = 0
    created: list[str] | None = None
    repeats: list[str] | None = None
    said: dict[str, int] | None = None
    stood: str | None = None

    @property
    def fact(self) -> str:
        """The id of the newest fact, as reasons and commands cite it."""
        return f"{self.source}/{self.order[3]}"


class PlanVersion(Struct, array_like=True):
    """One registered version: its encoded plan, the order of its newest registration and the fact that brought it.

    `content` is a digest of what two registrations of one version must share, `clash` whether two differed (rule B3).
    """

    plan: bytes
    order: Order
    content: bytes
    clash: bool = False
    fact: str = ""


class LastCommand(Struct, array_like=True):
    """What the milestone's last command said: the next one differs in value, released, held or targets.

    `paid` gives, per invoice identity, what of it the command lets be paid.
    """

    action: str
    value: int
    released: int
    held: int
    targets: bytes
    sequence: int
    command_id: str
    revision: int
    paid: dict[str, int] = {}


class Carried(Struct, array_like=True):
    """What was released elsewhere (before Milepost, or by a replaced milestone) and is not payable again (rule E3).

    `settled` gives what was paid of each invoice (by identity) under each milestone that was replaced, and when. What
    was paid before Milepost settles the invoices issued until the day `until`: `opened` gives, by the milestone that it
    was an opening of, how much. Of a milestone that was split each successor knows all of both, since any of them may
    have the invoices; it is counted once (`settled.py`). `beyond` is what came over beyond the value of the last
    successor: it counts as nothing earned, and is not payable again.
    """

    amount: int
    settled: dict[str, dict[str, int]] = {}
    until: str | None = None
    opened: dict[str, int] = {}
    beyond: int = 0

    @property
    def out(self) -> int:
        """All that was released elsewhere."""
        return self.amount + self.beyond


class OpenNotice(Struct, array_like=True):
    """A notice that was said and has not cleared: the revision that opened it, and what was last said of it: the day
    since which it stands (ordinal), severity (0 is green), step, and who must act."""

    revision: int
    since: int
    severity: int
    step: int
    owner: str


class MilestoneState(Struct, array_like=True):
    """What was decided for one milestone: released so far, carried, the last command, reasons and since when.

    `since` also has `~field` for conflicts and `!code` for exceptions. `decided` is a digest of the last decision,
    `replaced_by` the successors that took over what was released, `review` the moment (µs) at which time alone may
    decide otherwise. `notices` are those that are open, by kind and
    cause; `notices_due` is the day (ordinal) on which time alone may bring another.
    """

    released: int = 0
    carried: Carried | None = None
    last: LastCommand | None = None
    since: dict[str, int] = {}
    decided: bytes = b""
    replaced_by: tuple[str, ...] = ()
    review: int | None = None
    notices: dict[str, OpenNotice] = {}
    notices_due: int | None = None


class Arrival(Struct, frozen=True, array_like=True):
    """What one record states about one contract. `timestamp` is the record's in µs; `origin` says where it lies."""

    facts: tuple[Fact, ...]
    timestamp: int
    origin: str


class State(Struct, dict=True):
    """Everything about one contract.

    `revision` and `head` number and hash the last row of its log, `moment` (µs) is when that was; `sequence` is the
    last command's. `in_force` is the version of `plans` that counts, 0 for none. `slots` are known by subject, `seen`
    are the events met (`merge.Seen`), `verdicts` digests of what could not be read, `documents` the newest edition of
    each vendor document, by `document_key`. `review` is the moment (µs) at which time alone may decide otherwise.
    `decided_on` is the version and the day (ordinal) for which all milestones were last decided. `frozen` names the
    release that could not decide the contract; `deferred` waits meanwhile. `notices` are those about all of it.
    `claims` is what it claims of each invoice number (rule D8); the value is replaced, never changed in place.
    """

    contract: str
    revision: int = 0
    moment: int = 0
    sequence: int = 0
    head: bytes = bytes(32)
    in_force: int = 0
    plans: dict[int, PlanVersion] = {}
    slots: dict[str, Slot] = {}
    seen: bytes = b""
    verdicts: list[bytes] = []
    documents: dict[str, int] = {}
    milestones: dict[str, MilestoneState] = {}
    review: int | None = None
    rulebook: str = ""
    decided_on: tuple[int, int] = (0, 0)
    frozen: str | None = None
    deferred: list[Arrival] = []
    notices: dict[str, OpenNotice] = {}
    notices_due: int | None = None
    claims: dict[str, tuple[InvoiceClaim, ...]] = {}

    @property
    def kept(self) -> dict[str, Any]:
        """What was worked out from the state and stays beside it in memory. Never stored, and may be thrown away."""
        return self.__dict__


_encoder = Encoder()
_decoder = Decoder(State)


def encode_state(state: State) -> bytes:
    """The bytes in which a store keeps the state."""
    return _encoder.encode(state)


def decode_state(raw: bytes) -> State:
    """A state of one's own from the bytes of a store."""
    return _decoder.decode(raw)


def packed(value: Any) -> bytes:
    """Compact bytes of plain values, for digests and for what only Milepost reads."""
    return _encoder.encode(value)

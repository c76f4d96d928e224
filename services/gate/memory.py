"""What the gate remembers: per contract the newest command of each milestone, per invoice what it did to its lines.

Both are encoded as they are kept, so that nothing a caller still holds can change what was committed.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from contracts_schema.drift import Difference
from contracts_schema.payables import Bill

State = Literal["applied", "already_applied", "waiting", "rejected", "superseded", "unknown"]
FINAL: frozenset[State] = frozenset({"applied", "already_applied", "rejected", "superseded"})


class Wish(Struct, frozen=True):
    """What one command wants of one invoice: `payable` minor units of its net may leave, `safe` of them even while the
    contract's sequence has a gap. `whole`: all of its net is payable.
    """

    number: str
    suppliers: tuple[str, ...]
    unit: str | None
    ids: tuple[str, ...]
    payable: int
    safe: int
    currency: str
    whole: bool


class Result(Struct, frozen=True):
    """What became of a command at one invoice."""

    state: State
    detail: str = ""


class Kept(Struct):
    """The newest command of a milestone, what became of it at each invoice, and what was last answered."""

    command_id: str
    action: str
    sequence: int
    wishes: tuple[Wish, ...]
    carried: bool = False
    results: dict[str, Result] = {}
    told: Result | None = None
    answers: int = 0
    told_at: int = 0


class ContractMemory(Struct):
    """One contract: every sequence up to `upto` was seen, and those in `beyond` behind a gap. Up to `forgotten` finance
    may have been told more than the log knows, or the contract says anew what was taken over.
    """

    upto: int = 0
    beyond: list[int] = []
    milestones: dict[str, Kept] = {}
    forgotten: int = 0

    @property
    def is_stale(self) -> bool:
        """Whether finance may have been told something newer than the newest that was seen: then nothing is freed."""
        return self.forgotten > max(self.upto, *self.beyond, 0)

    def is_seen(self, sequence: int) -> bool:
        """Whether a command of this sequence was seen."""
        return sequence <= self.upto or sequence in self.beyond

    def see(self, sequence: int) -> None:
        """Note a sequence, and close the gap where it was the missing one."""
        if not self.is_seen(sequence):
            self.beyond.append(sequence)
        while self.upto + 1 in self.beyond:
            self.upto += 1
            self.beyond.remove(self.upto)

    def skip(self, sequence: int) -> None:
        """Wait no more for sequences up to this one: another store issued them, and its commands were taken over."""
        self.upto = max(self.upto, sequence)
        self.beyond = [number for number in self.beyond if number > self.upto]
        self.see(self.upto)

    def payable(self, kept: Kept, wish: Wish) -> int:
        """What may leave under this wish now: behind a gap only what was safe before (rule E1: a hold never waits)."""
        return wish.payable if kept.sequence <= self.upto else wish.safe


class BillMemory(Struct):
    """What the gate did to the lines of one invoice.

    `held`: line to the orders under which our block was last confirmed; `freed`: lines seen free while they might be
    paid; `lifted`: lines whose block somebody else took away, told once; `told`: what was last said of each holder.
    `net`: the invoice's net (minor units) when a line of it was first seen free under the orders `net_mark`.
    `gone`: the invoice as it was seen last with a payment that left, or could not be stopped, after we had released it.
    """

    held: dict[str, str] = {}
    freed: list[str] = []
    lifted: list[str] = []
    told: dict[str, bool] = {}
    tellings: int = 0
    unclaimed: bool = False
    net: int | None = None
    net_mark: str = ""
    gone: Bill | None = None


class InvoiceMemory(Struct):
    """All invoices in finance that bear one number, and in what they differ from what is wanted."""

    bills: dict[str, BillMemory] = {}
    differences: list[Difference] = []


_encoder = Encoder()
_contract = Decoder(ContractMemory)
_invoice = Decoder(InvoiceMemory)


def encode_memory(memory: ContractMemory | InvoiceMemory) -> bytes:
    """The bytes in which a memory is kept."""
    return _encoder.encode(memory)


def contract_memory(raw: bytes | None) -> ContractMemory:
    """The memory of a contract; a new one where there is none."""
    return _contract.decode(raw) if raw else ContractMemory()


def invoice_memory(raw: bytes | None) -> InvoiceMemory:
    """The memory of an invoice; a new one where there is none."""
    return _invoice.decode(raw) if raw else InvoiceMemory()

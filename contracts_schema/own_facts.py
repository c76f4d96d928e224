"""Facts that Milepost says itself, into the log of a contract; no source can say them.

What follows for a contract must stand in its own log (law 12): so what was found elsewhere, in a message that cannot be
read, in a vendor's document, in what other contracts claim or in what finance has seen, is said as a fact.
"""

from __future__ import annotations

from msgspec import Struct

from contracts_schema.fact_fields import Body
from contracts_schema.money import Money


class MessageUnreadable(Body, tag="message.unreadable", frozen=True):
    """A doubt: a message about this milestone could not be read. `scope` is the kind it would have been.

    `digest` is what its verdict belongs to, `record` the SHA-256 of the record's value.
    """

    sentence: str
    digest: bytes
    scope: str | None = None
    record: bytes = b""


class MessageRedriven(Body, tag="message.redriven", frozen=True):
    """A record was sent again, judged anew, and can be read: the doubts it raised are over (rule A11).

    `digests` are those that its doubts may bear: the SHA-256 of its value, and what it says now.
    """

    digests: tuple[bytes, ...]


class DocumentRenewed(Body, tag="document.renewed", frozen=True):
    """A vendor document has a newer version of which no part reaches this contract: what an older one said is void
    (rule F9). Milepost says it to contracts that have had a part; a mapper of a version that has no part at all."""

    document: str


class ClaimElsewhere(Struct, frozen=True, array_like=True):
    """What one other contract claims of an invoice, by currency."""

    contract: str
    nets: tuple[Money, ...]


class InvoiceClaimedElsewhere(Body, tag="invoice.claimed_elsewhere", frozen=True):
    """Other contracts claim parts of an invoice of this one, and with them it is claimed for more than its total (rule
    D8). Milepost finds it in the claims of all contracts and says it into the log of each.

    `supplier` is the identifier by which this contract knows the invoice's supplier; `most` is what may be claimed
    (None where the parts are in several currencies). `claims` are the first few, by contract; none: it is so no longer.
    """

    supplier: str
    number: str
    business_unit: str | None = None
    most: Money | None = None
    claims: tuple[ClaimElsewhere, ...] = ()
    more: bool = False


class KeysClaimedElsewhere(Body, tag="keys.claimed_elsewhere", frozen=True):
    """Crosswalk keys (source and key) that other contracts claim, as far as this one claims them or has facts under
    them: what is said under these is not its own (rules A7, A10, B5). Milepost finds it when what is claimed changes
    and says it into the log of each; the newest counts, and without keys it is so no longer."""

    keys: tuple[tuple[str, str], ...] = ()


class CommandsAdopted(Body, tag="commands.adopted", frozen=True):
    """Finance has seen commands of this contract that this store never issued: it was restored to an earlier moment, or
    built anew. Later ones are numbered above `sequence`; `released` gives, by milestone, what finance was last told is
    released to date (minor units), which never falls.
    """

    sequence: int
    released: dict[str, int]

"""What is known of a contract: the newest word per subject, and where each fact belongs (rules A1 to A4, A10, F9)."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec import UNSET

ENDS = {"evidence.removed": "evidence.attached", "sign_off.withdrawn": "sign_off.given",
        "dispute.resolved": "dispute.opened", "hold.lifted": "hold.placed"}  # fmt: skip
NAMED_BY = {
    "evidence.attached": ("name",), "sign_off.given": ("by", "role"), "measure.reported": ("name", "period"),
    "dispute.opened": ("dispute",), "hold.placed": ("hold",), "reason.waived": ("code", "cause"),
    "compliance.document": ("name",), "command.acknowledged": ("command_id",), "payment.made": ("payment",),
    "hold.observed": ("invoice", "holder"), "invoice.received": ("number", "supplier", "business_unit"),
}  # fmt: skip
CONTRACT_WIDE = {"compliance.document", "hold.placed", "hold.lifted", "dispute.opened", "dispute.resolved",
                 "reason.waived", "message.unreadable", "message.redriven", "document.renewed",
                 "invoice.claimed_elsewhere", "keys.claimed_elsewhere", "commands.adopted",
                 "contract.registered"}  # fmt: skip
NOBODY = {}  # heirs of replaced milestones, where there are none


def kind_of(fact):
    """The kind, an end counting as its beginning."""
    return ENDS.get(fact.kind, fact.kind)


def subject(fact):
    """A1: source, kind, address as given, and what names the thing."""
    names = tuple(plain(name, getattr(fact.body, name, None)) for name in NAMED_BY.get(kind_of(fact), ()))
    return (fact.source, kind_of(fact), fact.address, names)


def plain(name, value):
    """A number is compared in NFC without blanks around it (C3); nothing said is an empty text."""
    if value is None or value is UNSET:
        return ""
    return unicodedata.normalize("NFC", value).strip() if name == "number" else value


def order(fact):
    """A1: by version (a numbered one is newer), time, revision of the mapper, id."""
    return (fact.version is not None, fact.version or 0, fact.time, fact.mapper, fact.id)


def content(fact):
    """What two facts share that say the same of the same (A2)."""
    return repr((fact.address, fact.body, fact.version))


@dataclass
class Word:
    """What one source says of one subject now: its facts, oldest first, and what they say together."""

    facts: list
    milestones: tuple

    @property
    def newest(self):
        return self.facts[-1]

    @property
    def body(self):
        return self.facts[-1].body

    @property
    def source(self):
        return self.newest.source

    @property
    def address(self):
        return self.newest.address

    @property
    def time(self):
        return self.newest.time

    def field(self, name):
        """A4: the newest fact that states the field; null is no value."""
        stated = [getattr(fact.body, name) for fact in self.facts if getattr(fact.body, name) is not UNSET]
        return stated[-1] if stated else None


def homes(fact, plan, heirs=NOBODY):
    """A10: the milestones that the fact is about; none while nobody, or more than one, could take it. A hold or
    dispute of one that was replaced is about its heirs; one whose key tells no more stays where it was (law 4, D7)."""
    address, every = fact.address, tuple(m.id for m in plan.milestones)
    stays = kind_of(fact) in ("hold.placed", "dispute.opened")
    if address.contract is not None and address.milestone is not None:
        return (address.milestone,) if address.milestone in every else heirs.get(address.milestone, ()) if stays else ()
    if address.contract is not None and fact.kind in CONTRACT_WIDE:
        return every
    found = candidates(address, fact.kind, fact.body, plan)
    return found if len(found) == 1 else heirs.get(subject(fact), ()) if stays else ()


def candidates(address, kind, body, plan):
    """Every milestone that an address fits: those that claim the first claimed key; else, under a key of the contract,
    those that can take such a fact. Of what cannot be read (no body) nobody knows who could take it (A11)."""
    if address.contract is not None:
        if address.milestone is not None:
            return tuple(m.id for m in plan.milestones if m.id == address.milestone)
        wide = kind in CONTRACT_WIDE or kind is None
        return tuple(m.id for m in plan.milestones if wide or can_take(m, kind, body))
    for key in address.keys:
        claiming = tuple(m.id for m in plan.milestones if key in m.refs.get(address.source, ()))
        if claiming:
            return claiming
    if any(key in plan.refs.get(address.source, ()) for key in address.keys):
        return tuple(m.id for m in plan.milestones if body is None or can_take(m, kind, body))
    return ()


def can_take(milestone, kind, body):
    """A10: when it requires that proof; a fact that is no proof, any milestone can."""
    kind = ENDS.get(kind, kind)
    proofs = {"milestone.assessed": "met", "goods.received": "received", "invoice.received": "invoiced",
              "sign_off.given": "signed_off"}  # fmt: skip
    if kind in proofs:
        return proofs[kind] in milestone.requires
    if kind == "evidence.attached":
        return any(p == f"evidence:{body.name}" if body else p.startswith("evidence:") for p in milestone.requires)
    if kind == "measure.reported":
        names = [
            re.split("[<>=]", p.removeprefix("measure:"))[0] for p in milestone.requires if p.startswith("measure:")
        ]
        return body.name in names if body else bool(names)
    return True


def words(facts, plan, editions, heirs=NOBODY):
    """The word of every source on every subject that has a home and is not void (`editions`: the newest of each
    document)."""
    by_subject = {}
    for fact in facts:
        by_subject.setdefault(subject(fact), []).append(fact)
    found = []
    for said in by_subject.values():
        word = Word(sorted(said, key=order), homes(said[0], plan, heirs))
        if word.milestones and not void(word, editions):
            found.append(word)
    return found


def void(word, editions):
    """F9: a newer version of the document, whoever was told of it, no longer has this part."""
    document = (word.source, word.newest.document)
    return editions.get(document, 0) > max(fact.edition for fact in word.facts)


def contradicts(word, facts):
    """A2, A3: one version or id for two statements, or an unnumbered invoice with other terms, and nothing newer."""
    newest = word.newest
    ids = {newest.id}  # the same under the same version and another id is a repeat, and nothing newer
    if newest.version is not None:
        ids = {fact.id for fact in word.facts if fact.version == newest.version}
        if len({content(fact) for fact in word.facts if fact.version == newest.version}) > 1:
            return True
    elif newest.kind == "invoice.received":
        terms = {(fact.body.net, fact.body.issued_on) for fact in word.facts if fact.version is None}
        if len(terms) > 1:
            return True
    said = {(fact.id, content(fact)) for fact in facts if fact.source == newest.source and fact.id in ids}
    return len(said) > len({name for name, _ in said})


def day_of(moment, zone):
    """B6: the day in the contract's zone."""
    return datetime.fromtimestamp(moment / 1_000_000, UTC).astimezone(ZoneInfo(zone)).date()

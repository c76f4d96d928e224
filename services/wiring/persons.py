"""Wires pseudonyms: the check of their key before a worker starts, names shown again, and `milepost persons`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from msgspec import Struct

from contracts_schema.errors import ConfigurationError, Refused
from contracts_schema.persons import PSEUDONYM
from contracts_schema.rows import Changes, PersonRow
from services.ports import Store
from services.reconciliation.calendar import show_moment
from services.reconciliation.pseudonyms import Pseudonyms
from services.settings import Settings
from services.wiring import doors

PAGE = 1000


class Person(Struct, frozen=True):
    """Whom a pseudonym means, and since when the store knows."""

    pseudonym: str
    name: str
    first_seen: str


class Erased(Struct, frozen=True):
    """The pseudonyms that were asked for, how many of them were known until now, and whether `people` still names
    one: then it comes back with the next start of a worker."""

    pseudonyms: tuple[str, ...]
    erased: int
    in_people: bool


# -- before a worker starts --------------------------------------------------------------------------------------------


async def key_faults(settings: Settings, store: Store, *, begins: bool = True) -> list[str]:
    """Why nothing may be written with this configuration: a store's pseudonyms are made with one key from the first
    record on, or it has none; otherwise one person would be two. Who `begins` gives a new store its key."""
    persons = settings.persons()
    known = await store.person_key(None)
    if persons is None:
        return [] if known is None else ["pseudonyms: this store has them; give the key with which they were made"]
    if known is None and not begins:
        return []
    if known is None:
        tally = await store.tally()
        if tally["contracts"] or tally["parked"]:
            return ["pseudonyms: this store was begun with plain names; pseudonyms are for a store from its beginning"]
        known = await store.person_key(persons.fingerprint)
    if known != persons.fingerprint:
        return [
            "pseudonyms: the key is not the one with which this store's pseudonyms were made; it is never exchanged"
        ]
    return []


async def keep_people(settings: Settings, store: Store) -> None:
    """Write whom the configuration's `people` name, so that they can be shown again."""
    persons = settings.persons()
    if persons is not None and settings.people:
        named = {persons.of(name): name for name in settings.people}
        await keep_names(store, {pseudonym: name for pseudonym, name in named.items() if pseudonym != name})


async def keep_names(store: Store, persons: Mapping[str, str]) -> None:
    """Write whom these pseudonyms mean; who is known stays."""
    async with store.batch() as batch:
        await batch.write(Changes(persons=sorted(persons.items())))


# -- names shown again -------------------------------------------------------------------------------------------------


async def names_in(settings: Settings, texts: Sequence[str]) -> Mapping[str, str]:
    """The names behind the pseudonyms in these texts, as far as the store still knows them."""
    wanted = {pseudonym for text in texts for pseudonym in PSEUDONYM.findall(text)}
    if not wanted or settings.pseudonyms is None:
        return {}
    async with doors.open_store(settings) as store:
        return {row.pseudonym: row.name for row in await store.persons_of(wanted)}


# -- milepost persons --------------------------------------------------------------------------------------------------


async def listed(settings: Settings, limit: int) -> list[Person]:
    """Everybody whom the store knows, by pseudonym."""
    found: list[Person] = []
    async with doors.open_store(settings) as store:
        async for row in _all(store):
            found.append(_person(row))
            if len(found) == limit:
                break
    return found


async def _all(store: Store) -> AsyncIterator[PersonRow]:
    after: str | None = ""
    while after is not None:
        page = await store.persons(after, PAGE)
        for row in page:
            yield row
        after = page[-1].pseudonym if len(page) == PAGE else None


async def shown(settings: Settings, who: str) -> list[Person]:
    """Whom a pseudonym means, or which pseudonyms a name has. Raises Refused where nobody is known by it."""
    wanted = _pseudonyms(_persons(settings), settings, who)
    async with doors.open_store(settings) as store:
        found = [_person(row) for row in await store.persons_of(wanted)]
    if not found:
        raise Refused(f"nobody is known as {who!r} ({', '.join(wanted)})")
    return found


async def erase(settings: Settings, who: str) -> Erased:
    """Forget whom a pseudonym means, or a name with every identity that `people` gives it. Again, it does nothing."""
    persons = _persons(settings)
    wanted = _pseudonyms(persons, settings, who)
    async with doors.open_store(settings) as store:
        erased = await store.erase_persons(wanted)
    named = [name for name in settings.people if not PSEUDONYM.fullmatch(name)]
    return Erased(wanted, erased, any(persons.of(name) in wanted for name in named))


def _persons(settings: Settings) -> Pseudonyms:
    persons = settings.persons()
    if persons is None:
        raise ConfigurationError(["pseudonyms: this configuration has none, so names stand in the log and stay there"])
    return persons


def _pseudonyms(persons: Pseudonyms, settings: Settings, who: str) -> tuple[str, ...]:
    """Of somebody and of every identity that `people` gives them, by name or by pseudonym."""
    identities = {who}
    for name, known in settings.people.items():
        if persons.of(name) == persons.of(who):
            identities.update(*map(identity_forms, known))
    return tuple(sorted(map(persons.of, identities)))


def identity_forms(identity: str) -> set[str]:
    """An identity of `people` as a whole, and without the source that may stand in front of it."""
    parts = identity.split(":")
    return {":".join(parts[at:]) for at in range(len(parts))} - {""}


def _person(row: PersonRow) -> Person:
    return Person(row.pseudonym, row.name, show_moment(row.first_seen))

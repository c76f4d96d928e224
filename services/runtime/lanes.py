"""From rows of the outbox to records to publish, lane by lane.

Commands and quarantine records were rendered when they were committed. Decision records and notices are rendered from
the log, and snapshots from the present state, newest per key, so that what many batches changed goes out once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from contracts_schema.rows import Lane, OutboxRow, PublishRow
from services.ports import Store, Telemetry
from services.reconciliation.log import LogEntry, read_entry
from services.reconciliation.policy import Rules
from services.runtime import outgoing
from services.runtime.known import KnownRevisions, KnownStates
from services.runtime.outgoing import Topics

AT_A_TIME = 500
STATES_AT_A_TIME = 50  # what is read must still be what is known when it is rendered


class Lanes:
    """Renders rows of the outbox. `states` and `revisions` are those that this worker still has decoded;
    `record_bytes` is the most that a record may have."""

    def __init__(
        self, store: Store, rules: Rules, topics: Topics, states: KnownStates, revisions: KnownRevisions,
        record_bytes: int, telemetry: Telemetry,
    ) -> None:  # fmt: skip
        self._store = store
        self._rules = rules
        self._topics = topics
        self._states = states
        self._revisions = revisions
        self._record_bytes = record_bytes
        self._telemetry = telemetry

    async def render(self, lane: Lane, rows: Sequence[OutboxRow]) -> list[PublishRow]:
        """Everything that these rows of one lane have to say, in order.

        Raises:
            TransientError: the store does not answer.
        """
        if lane is Lane.COMMANDS:
            return holds_first([row for r in rows for row in outgoing.packed_rows(r.body)], behind=len(rows) > 1)
        if lane is Lane.QUARANTINE:
            return [row for r in rows for row in outgoing.packed_rows(r.body)]
        if lane is Lane.DECISIONS:
            return await self._decisions([pair for r in rows for pair in outgoing.packed_revisions(r.body)])
        if lane is Lane.NOTICES:
            return await self._notices([pair for r in rows for pair in outgoing.packed_revisions(r.body)])
        return await self._snapshots([pair for r in rows for pair in outgoing.packed_milestones(r.body)])

    async def _decisions(self, wanted: Sequence[tuple[str, int]]) -> list[PublishRow]:
        rows: list[PublishRow] = []
        for at in range(0, len(wanted), AT_A_TIME):
            entries = await self._entries(wanted[at : at + AT_A_TIME])
            rows += outgoing.decision_rows(entries, self._topics.decisions, self._record_bytes)
        return rows

    async def _notices(self, wanted: Sequence[tuple[str, int]]) -> list[PublishRow]:
        rows: list[PublishRow] = []
        for at in range(0, len(wanted), AT_A_TIME):
            entries = await self._entries(wanted[at : at + AT_A_TIME])
            rows += outgoing.notice_rows(entries, self._topics.notices, self._record_bytes)
        return rows

    async def _entries(self, wanted: Sequence[tuple[str, int]]) -> list[tuple[LogEntry, bytes]]:
        """These revisions with their hashes, in order: those just committed here, all others from the log."""
        found = {pair: known for pair in wanted if (known := self._revisions.look(*pair)) is not None}
        others = [pair for pair in wanted if pair not in found]
        for row in await self._store.revisions(others) if others else ():
            found[row.contract, row.revision] = (read_entry(row), row.head)
        return [found[pair] for pair in wanted if pair in found]

    async def _snapshots(self, wanted: Sequence[tuple[str, str]]) -> list[PublishRow]:
        by_contract: dict[str, dict[str, None]] = {}
        for contract, milestone in wanted:
            by_contract.setdefault(contract, {})[milestone] = None
        names, rows = list(by_contract), list[PublishRow]()
        for at in range(0, len(names), STATES_AT_A_TIME):
            some = names[at : at + STATES_AT_A_TIME]
            states = await self._store.states_of(some)
            for name in some:
                rows += self._snapshots_of(name, list(by_contract[name]), states.get(name))
            await asyncio.sleep(0)  # rendering takes time in which batches and heartbeats want their turn
        return rows

    def _snapshots_of(self, contract: str, milestones: Sequence[str], state: bytes | None) -> list[PublishRow]:
        pairs = [(contract, milestone) for milestone in milestones]
        try:
            states = {} if state is None else {contract: self._states.look(contract, state)}
            return outgoing.snapshot_rows(pairs, states, self._rules, self._topics.snapshots, self._record_bytes)
        except Exception as defect:  # noqa: BLE001 -- contained: a contract that cannot be shown must not stop the lane
            self._telemetry.event("error", "snapshot left out", contract=contract, error=type(defect).__name__)
            self._telemetry.count("milepost_snapshots_left_out_total", len(pairs))
            return []


def holds_first(rows: list[PublishRow], *, behind: bool) -> list[PublishRow]:
    """When the relay is behind: contracts with a waiting hold, then the others. Inside a contract nothing moves."""
    if not behind:
        return rows
    urgent = {row.contract for row in rows if row.urgent}
    return [r for r in rows if r.contract in urgent] + [r for r in rows if r.contract not in urgent]

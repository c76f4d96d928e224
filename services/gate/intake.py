"""The way in: a batch of commands through the fence, into what is wanted, in one transaction with its offsets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from contracts_schema.commands import Command
from contracts_schema.errors import MessageError
from contracts_schema.failpoints import failpoint
from contracts_schema.payables import Intake, Refusal
from contracts_schema.records import Record
from contracts_schema.rows import FenceLost, OffsetRange, Partition, PublishRow
from services.gate.answers import Voice, acknowledged, settled
from services.gate.fence import Judged, Verdict, accept, read_command
from services.gate.memory import FINAL, ContractMemory, Kept, Result, contract_memory, encode_memory
from services.gate.ports import Proofs, Wanted
from services.ports import Feed
from services.reconciliation.adoption import adopted
from services.reconciliation.log import read_entry
from services.reconciliation.state import State, decode_state

log = logging.getLogger(__name__)
Read = tuple[Record, Command]


class Door:
    """Takes commands in for one finance system. `alone`: contracts that name no finance system are paid by this one."""

    def __init__(self, wanted: Wanted, voice: Voice, owner: str, proofs: Proofs | None, *, alone: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._wanted = wanted
        self._voice = voice
        self._owner = owner
        self._proofs = proofs
        self._alone = alone
        self._busy = asyncio.Lock()
        self._cluster = ""
        self._held: set[Partition] = set()

    async def assigned(self, cluster: str, partitions: Collection[Partition]) -> Mapping[Partition, int | None]:
        """Take these partitions over; the next offset of each."""
        self._cluster = cluster
        stands = await self._wanted.take(self._owner, cluster, partitions)
        self._held.update(partitions)
        return stands

    async def revoked(self, partitions: Collection[Partition]) -> None:
        """Wait for the batch that runs."""
        self._held.difference_update(partitions)
        async with self._busy:
            return

    async def pump(self, feed: Feed, limit: int, timeout_s: float) -> int:
        """Take in one batch; how many records it had, none where the fence did not let it pass.

        Raises:
            TransientError: Kafka or the store does not answer; the same records come again.
        """
        records = await feed.poll(limit, timeout_s)
        if not records:
            return 0
        async with self._busy:
            try:
                failpoint("intake.polled")
                await self.take_in(records)
            except FenceLost as lost:
                log.warning("commands: %s; another gate reads them now, or they were taken in before", lost)
                await self._seek_anew(feed, _starts(records))
                return 0
            except BaseException:
                with contextlib.suppress(Exception):  # the first fault is the one to tell
                    await feed.rewind(_starts(records))
                raise
        return len(records)

    async def _seek_anew(self, feed: Feed, starts: Mapping[Partition, int]) -> None:
        """Read on from where the store stands: what came behind a batch that was in doubt has not been taken in."""
        await feed.rewind(starts)  # so that nothing is passed over, whatever fails now
        stands = await self.assigned(self._cluster, self._held & starts.keys())
        await feed.rewind({p: starts[p] if offset is None else offset for p, offset in stands.items()})

    async def take_in(self, records: Sequence[Record]) -> None:
        """Judge these records and commit what follows, with their offsets.

        Raises:
            FenceLost: the partitions are another gate's by now.
            TransientError: the store does not answer.
        """
        intake = Intake(answers=[], refusals=[])
        commands, unproven, refused = await self._believed(records)
        forgotten = await self._forgotten(unproven)
        async with self._wanted.intake() as batch:
            await batch.fence(self._owner, [_range(self._cluster, p, rows) for p, rows in _by_partition(records)])
            failpoint("intake.fenced")
            names = forgotten.keys() | {command.contract for _, command in commands}
            raw = await batch.load(names)
            memories = {name: contract_memory(raw.get(name)) for name in names}
            for contract, sequence in forgotten.items():
                _mistrust(memories[contract], sequence, intake)
            await self._skip_adopted(commands, memories, intake)
            now = await self._wanted.now()
            answers: list[PublishRow] = []
            for record, command in commands:
                try:
                    answers += self._judge(record, command, memories[command.contract], intake, now)
                except MessageError as error:
                    refused.append(Refusal(record.origin, command.command_id, error.sentence))
            intake.answers, intake.refusals = answers, refused
            intake.memories = {name: encode_memory(memory) for name, memory in memories.items()}
            await batch.write(intake)
            failpoint("intake.written")
        failpoint("intake.committed")
        for refusal in refused:
            log.error("a command was refused: %s (%s)", refusal.sentence, refusal.origin)
        self.counts.update(read=len(records), refused=len(refused))

    async def _believed(self, records: Sequence[Record]) -> tuple[list[Read], list[Command], list[Refusal]]:
        """The commands among these records that are whole and stand in the log, those that do not stand there, and why
        which record is refused."""
        read: list[Read] = []
        refused: list[Refusal] = []
        for record in records:
            try:
                read.append((record, read_command(record)))
            except MessageError as error:
                refused.append(Refusal(record.origin, (record.header("ce_id") or "")[:200], error.sentence))
        if self._proofs is None or not read:
            return read, [], refused
        genuine = await self._proven({(c.contract, c.revision) for _, c in read}, self._proofs)
        unproven = [(r, c) for r, c in read if (c.command_id, c.finance) not in genuine]
        for record, command in unproven:
            sentence = f"command {command.command_id}: it does not stand in the log of {command.contract}"
            refused.append(Refusal(record.origin, command.command_id, sentence))
        proven = [(r, c) for r, c in read if (c.command_id, c.finance) in genuine]
        return proven, [command for _, command in unproven], refused

    async def _proven(self, wanted: Collection[tuple[str, int]], proofs: Proofs) -> set[tuple[str, str | None]]:
        """Ids of all commands that these revisions led to, with the finance system that each was for."""
        fitting = [(name, revision) for name, revision in wanted if 0 < revision < 2**62]
        entries = [read_entry(row) for row in await proofs.revisions(fitting)]
        return {(d.said.command_id, e.finance) for e in entries for d in e.decisions if d.said is not None}

    async def _forgotten(self, unproven: Collection[Command]) -> dict[str, int]:
        """By contract, the highest sequence that a log which went further than ours may have issued: a database that
        was restored has forgotten it, and maybe a hold with it. It may be forged, too; in doubt nothing is freed.
        """
        found: dict[str, int] = {}
        for contract in {command.contract for command in unproven}:
            raw = await self._proofs.state(contract) if self._proofs else None
            if raw is not None:
                state = decode_state(raw)
                beyond = [c.sequence for c in unproven if c.contract == contract and _is_beyond(c, state)]
                found |= {contract: max(beyond)} if beyond else {}
        return found

    async def _skip_adopted(
        self, commands: Sequence[Read], memories: Mapping[str, ContractMemory], intake: Intake
    ) -> None:  # fmt: skip
        """A gap in a contract's sequence may be that of commands which were taken over: nobody sends those again."""
        if self._proofs is None:
            return
        for contract, memory in memories.items():
            newest = max((c.sequence for _, c in commands if c.contract == contract), default=0)
            if newest <= memory.upto + 1:
                continue
            raw = await self._proofs.state(contract)
            state = decode_state(raw) if raw else None
            known = adopted(state) if state is not None else None
            if state is not None and known is not None and newest > known.sequence > memory.upto:
                waited = [kept for kept in memory.milestones.values() if kept.sequence > memory.upto]
                memory.skip(known.sequence)
                _mistrust(memory, state.sequence, intake)  # until it has said everything anew
                for kept in waited:
                    intake.wake |= _subjects(kept)

    def _judge(
        self, record: Record, command: Command, memory: ContractMemory, intake: Intake, now: int
    ) -> list[PublishRow]:  # fmt: skip
        ours = command.finance == self._voice.finance or (command.finance is None and self._alone)
        if not ours and command.milestone not in memory.milestones:
            memory.see(command.sequence)
            return []
        judged = accept(memory, command, ours=ours)
        self.counts[judged.verdict.value] += 1
        for milestone in judged.caught_up:
            intake.wake |= _subjects(memory.milestones[milestone])
        if judged.verdict is Verdict.NEW:
            return self._wanted_now(command, memory, judged.before, intake, now)
        return [self._again(record, command, judged, now)]

    def _wanted_now(
        self, command: Command, memory: ContractMemory, before: Kept | None, intake: Intake, now: int
    ) -> list[PublishRow]:  # fmt: skip
        """The command is the wanted state now; the one before it, where it was not done with, is superseded."""
        kept = memory.milestones[command.milestone]
        subjects = _subjects(kept)
        intake.listings[command.contract, command.milestone] = tuple(sorted(subjects))
        intake.wake |= subjects | (_subjects(before) if before else set())
        intake.urgent |= subjects if command.action == "hold" else set()
        told = []
        if before is not None and (before.told is None or before.told.state not in FINAL):
            result = Result("superseded", f"by sequence {command.sequence}")
            place = (command.contract, command.milestone, before.command_id)
            moment = max(now, before.told_at + 1)
            told.append(acknowledged(self._voice, *place, result, str(before.answers + 1), moment))
        answer = settled(kept, command.contract, command.milestone, now, self._voice)
        return [*told, *([answer] if answer else [])]

    def _again(self, record: Record, command: Command, judged: Judged, now: int) -> PublishRow:
        """The answer to a command that was seen, or that a newer one has overtaken; nothing is called for it."""
        kept = judged.before
        if judged.verdict is Verdict.SUPERSEDED or kept is None:
            newer = kept.sequence if kept else 0
            result = Result("superseded", f"sequence {newer} of the milestone was seen before")
        elif kept.told is None:
            result = Result("waiting", "it was taken in before and is being worked on")
        elif kept.told.state in ("applied", "already_applied"):
            result = Result("already_applied", "it was applied before")
        else:
            result = kept.told
        moment = now if kept is None else max(now, kept.told_at + 1)
        if judged.verdict is Verdict.REPEAT and kept is not None:
            kept.told_at = moment
        place = (command.contract, command.milestone, command.command_id)
        return acknowledged(self._voice, *place, result, f"again {record.origin}", moment)


def _is_beyond(command: Command, state: State) -> bool:
    """Whether a command that does not stand in the log may be one of a later log, which was lost."""
    known = adopted(state)
    further = command.revision > state.revision and command.sequence > state.sequence
    return further or (known is not None and command.sequence <= known.sequence)


def _mistrust(memory: ContractMemory, sequence: int, intake: Intake) -> None:
    """Free nothing before a sequence that is newer has come. What is being looked at now is looked at again."""
    was, memory.forgotten = memory.is_stale, max(memory.forgotten, sequence)
    if memory.is_stale and not was:
        for kept in memory.milestones.values():
            intake.wake |= _subjects(kept)


def _subjects(kept: Kept) -> set[str]:
    return {f"n:{wish.number}" for wish in kept.wishes}


def _by_partition(records: Sequence[Record]) -> list[tuple[Partition, list[Record]]]:
    found: dict[Partition, list[Record]] = {}
    for record in records:
        found.setdefault(Partition(record.topic, record.partition), []).append(record)
    return sorted(found.items())


def _range(cluster: str, partition: Partition, rows: Sequence[Record]) -> OffsetRange:
    return OffsetRange(cluster, partition, rows[0].offset, rows[-1].offset + 1, rows[-1].timestamp * 1000)


def _starts(records: Sequence[Record]) -> dict[Partition, int]:
    return {partition: rows[0].offset for partition, rows in _by_partition(records)}

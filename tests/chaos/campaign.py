"""The chaos campaign: everything that may go wrong goes wrong, while all systems speak; then all is healed and judged.

    python -m chaos.campaign [--seed N] [--minutes M] [--folder F] [--only STAGE ...]

The short form takes every fault as often as CI asks for; with `--minutes` faults of all kinds go on behind it, side by
side, for so long. It ends with one line of figures, and with 1 where something was lost, doubled or paid early, or
where a fault that was planned did not fire. Drawn from the seed: what is said, which faults, on whom, in which order;
not how the processes interleave.
"""

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from pathlib import Path

from chaos.census import Census
from chaos.faults import Faults
from chaos.forging import forge
from chaos.load import Load
from chaos.outages import Outages
from chaos.proxy import WAYS
from chaos.reading import commands
from chaos.rest import compare, differences, finance_wants, judged, lost_calls, settle
from chaos.site import Site
from chaos.store import Store
from chaos.talk import Talk

from contracts_schema.failpoints import POINTS

SETTLE_S = 400.0  # longer than the longest pause that anything makes before it tries again
FORGED = 150

# What each invariant of the judge stands for, in the line of figures.
ENDS = dict.fromkeys(("lost input", "lost command", "hold lost", "input", "topic", "unanswered", "withheld"), "lost")
PAID_EARLY = ("early", "forged command", "cap", "value", "amount", "claimed twice", "not ours", "not refused", "let in",
              "too soon")  # fmt: skip
ENDS |= dict.fromkeys(PAID_EARLY, "early") | {"doubled": "doubled"}


class Campaign:
    """One run on one site."""

    def __init__(self, folder: Path, seed: int, minutes: float = 0.0, only: Collection[str] = ()) -> None:
        self.seed, self.minutes, self.folder, self.only = seed, minutes, folder, only
        self.site = Site(folder, seed)
        self.census = Census()
        self.store = Store(self.site)
        self.load = Load(seed)
        self.talk = Talk(self.site, self.load)
        self.rng = random.Random(seed)
        self.faults = Faults(self.site, self.census, self.store, self.rng)
        self.outages = Outages(self.faults)
        self.figures: dict[str, object] = {}
        self.began = time.monotonic()

    async def run(self) -> list[str]:
        """Everything; what is wrong, in sentences."""
        try:
            async with self.site.running():
                try:
                    return await self._all()
                finally:
                    self.store.end()
        finally:
            self.site.ledger.close()
            self._write_census()

    async def _all(self) -> list[str]:
        self.say("everything runs")
        await self._under_way()
        self.say("healed")
        self.census.recovered("all together: nothing left to do", await settle(self.site, self.store, SETTLE_S))
        self.say("at rest")
        await forge(self.site, self.rng, FORGED)
        await settle(self.site, self.store, SETTLE_S)
        return await self._verdict()

    async def _under_way(self) -> None:
        """Faults, while everybody speaks; a process that ends by itself ends the run."""
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            speaking = [group.create_task(c) for c in (self.talk.sources(), self.talk.tool(), self.talk.calls())]
            try:
                await self._short()
                await self._long()
            except Exception:
                await self.store.write_activity("when the campaign ended")
                raise
            self.talk.quiet.set()
            await asyncio.gather(*speaking)
            watching.cancel()

    async def _short(self) -> None:
        """Every stage, or those that were asked for."""
        all_stages = stages(self.faults, self.outages) | {"all together": [self._all_together]}
        if unknown := {*self.only} - all_stages.keys():
            raise ValueError(f"there is no stage {', '.join(unknown)}; there are: {', '.join(all_stages)}")
        for name in (name for name in all_stages if name in self.only or not self.only):
            began = time.monotonic()
            await asyncio.gather(*(fault() for fault in all_stages[name]))
            self.say(f"{name}: {time.monotonic() - began:.0f} s")

    async def _long(self) -> None:
        """Everything together, again and again, for as many minutes as were asked for."""
        end = time.monotonic() + self.minutes * 60
        while time.monotonic() < end:
            await self._all_together()
            self.say(f"{self.census.fired.total()} faults")

    async def _all_together(self) -> None:
        """Five kinds at once."""
        f, o, rng = self.faults, self.outages, self.rng
        way, pair = rng.choice(WAYS), rng.choice(list(self.site.proxies))
        ground = [partial(o.database, [how]) for how in ("kill", "stop")]  # the database has one fault at a time
        ground += [o.disk, o.clocks] if self.minutes else [o.disk]
        others = [
            partial(o.brokers, [rng.choice(("kill", "stop"))]), partial(o.network, way, pair), f.die_somewhere,
            partial(f.storm, 4), *(partial(f.kills, kind, 2) for kind in POINTS),
            *(partial(f.zombies, kind, 2) for kind in ("worker", "gate")),
        ]  # fmt: skip
        await asyncio.gather(*(fault() for fault in [rng.choice(ground), *rng.sample(others, 4)]))

    async def _watch(self) -> None:
        while True:
            self.site.check()
            await asyncio.sleep(0.2)

    async def _verdict(self) -> list[str]:
        wrong = differences(self.site, finance_wants(await commands(self.site)))
        faults = [f"finance differs at {place}: {what}" for place, what in wrong.items()]
        self.site.ledger.close()
        lost = await lost_calls(self.site, self.talk.accepted)
        faults += [f"{lost} calls of the tool were accepted and are nowhere"] if lost else []
        steady = {told.name for told in self.load.contracts if told.steady}
        said, unlike = await compare(self.site, steady)
        faults += [f"not as in a quiet run: {one}" for one in unlike[:40]]
        findings = await judged(self.site)
        faults += [json.dumps(finding) for finding in findings[:40]]
        faults += [f"{m.name} logged: {line}" for m in self.site.members for line in m.plain_lines()[:1]]
        faults += [f"planned and did not fire: {kind} x {times}" for kind, times in self.census.missing().items()]
        await self._keep_logs({finding["contract"] for finding in findings})
        self._count(said, findings, wrong, lost)
        return faults

    async def _keep_logs(self, contracts: set[str]) -> None:
        """The log of each contract about which something was found: the database is gone afterwards."""
        rows = await self.store.rows("select * from revision where contract = any($1::text[])", sorted(contracts))
        if rows:
            (self.folder / "found.jsonl").write_text("".join(f"{json.dumps(dict(r), default=_shown)}\n" for r in rows))

    def _count(self, said: int, findings: list[dict], wrong: dict[str, str], lost: int) -> None:
        by_kind = Counter(ENDS.get(finding["invariant"], "other") for finding in findings)
        by_kind["lost"] += lost
        by_kind["early"] += sum(what == "early" for what in wrong.values())
        self.figures = {
            "seed": self.seed, "seconds": round(time.monotonic() - self.began), "records": self.talk.sent,
            "webhooks": len(self.talk.accepted), "finance_calls": len(self.site.ledger.calls),
            "faults": sum(self.census.fired.values()), "commands": said,
            **{end: by_kind[end] for end in ("lost", "doubled", "early", "other")},
        }  # fmt: skip

    def _write_census(self) -> None:
        census = self.figures | self.census.figures() | {"finance_misbehaved": self.site.ledger.moods.count}
        (self.folder / "census.json").write_text(json.dumps(census, indent=1))

    def say(self, line: str) -> None:
        print(f"{time.monotonic() - self.began:6.0f} s  {line}", file=sys.stderr, flush=True)


def stages(f: Faults, o: Outages) -> dict[str, list[Callable[[], Awaitable[None]]]]:
    """What goes side by side, stage by stage: every fault as often as CI asks for."""
    return {
        "failpoints of workers": [partial(f.die_everywhere, "worker")],
        "failpoints of collectors": [partial(f.die_everywhere, "collect")],
        "failpoints of gates": [partial(f.die_everywhere, "gate"), partial(f.kills, "worker", 14)],
        "rebalances": [partial(f.storm, 40), partial(f.kills, "gate", 10), partial(f.kills, "collect", 6)],
        "brokers": [partial(o.brokers, ["kill", "stop", "kill"])],
        "database": [partial(o.database, ["kill", "stop", "kill", "stop", "kill", "kill", "kill"])],
        "zombies": [partial(f.zombies, "worker", 6), partial(f.zombies, "gate", 4)],
        "network": [o.networks],
        "disk": [o.disk],
        "clock": [o.clocks],
    }


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=20260301)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", nargs="+", default=(), metavar="STAGE", help="these stages alone")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="milepost-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # of our own clients, which expect the worst
    print(f"seed {asked.seed}, everything in {folder}", file=sys.stderr)
    campaign = Campaign(folder, asked.seed, asked.minutes, asked.only)
    faults = asyncio.run(campaign.run())
    print(*faults, sep="\n")
    print(json.dumps(campaign.figures))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

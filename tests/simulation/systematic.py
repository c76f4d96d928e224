"""The core races, not by chance: two workers with their relays, a tiny history, and every fault at every step.

With one fault, each kind at each step of the undisturbed run; with two, each pair, the second at each later step of the
run that the first one led to. Steps that only ask whether there is anything to do are passed over.
"""

import os
from collections import Counter
from multiprocessing import get_context

from builders import START, a_contract, a_milestone, held_by, invoice, lifted_by, record_of, registered
from msgspec.structs import replace
from simulation.fate import IDLE, Fault, Written
from simulation.world import play

KINDS = (Fault.CRASH, Fault.ERROR, Fault.FREEZE, "rebalance", "zombie")
PAIRED = (Fault.CRASH, Fault.FREEZE, "rebalance")
RACING = ("batch", "publish", "store.published", "store.take")  # the steps at which pairs are tried
WORKERS = ("w1", "w2")


def history():
    """Two contracts, six records: let go, held and let go again."""
    plans = [a_contract(a_milestone(requires=["invoiced"]), contract=f"C-{n}") for n in (1, 2)]
    told = [registered(plans[0]), registered(plans[1]), invoice("100.00", contract="C-1"),
            held_by(contract="C-1"), invoice("100.00", "I-2", contract="C-2"), lifted_by(contract="C-1")]  # fmt: skip
    contracts = ("C-1", "C-2", "C-1", "C-1", "C-2", "C-1")
    made = [record_of(event, START, f"e{n}") for n, event in enumerate(told)]
    return [replace(record, key=c.encode()) for record, c in zip(made, contracts, strict=True)]


def attempt(script):
    """One run with these faults: its steps, whether all of them fired, and what did not hold."""
    fate, fault = Written(script), None
    try:
        play(fate, history(), 2, names=WORKERS)
    except Exception as broken:  # noqa: BLE001 -- whatever it is, the script is what counts
        fault = f"{type(broken).__name__}: {broken}"
    return script, fate.steps, sum(fate.fired.values()) == len(script), fault


def following(script, steps, kinds):
    """The same with one fault more, at each later step at which something can go wrong."""
    after = max((at for at, _ in script), default=-1)
    places = [at for at in range(after + 1, len(steps)) if not steps[at].startswith(IDLE)]
    if kinds is PAIRED:
        places = [at for at in places if steps[at].startswith(RACING)]
    return [(*script, (at, kind)) for at in places for kind in kinds]


def search(depth, every=1, jobs=None, tell=print):
    """Try every script of up to `depth` faults, or one in `every`; those that broke something."""
    ways, broken = Counter(), {}
    level = [attempt(())]
    with get_context("spawn").Pool(jobs or os.cpu_count()) as pool:
        for faults in range(1, depth + 1):
            kinds = KINDS if depth == 1 else PAIRED
            scripts = [s for tried, steps, _, _ in level for s in following(tried, steps, kinds)][::every]
            level = []
            for ran in pool.imap(attempt, scripts, chunksize=20):
                level.append(ran)
                ways[faults] += 1
                if ran[3]:
                    broken[ran[0]] = ran[3]
                    tell(f"{ran[0]}: {ran[3][:300]}")
    told = ", ".join(f"{n} with {faults} fault{'s' * (faults > 1)}" for faults, n in ways.items())
    tell(f"schedules: {told}; {len(broken)} broken")
    return broken

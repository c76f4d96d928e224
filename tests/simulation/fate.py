"""What goes wrong, and when: drawn from a seed, or written down step by step."""

from collections import Counter
from enum import Enum
from random import Random


class Fault(Enum):
    """What may happen at one step, before or after it took effect."""

    CRASH = "crash"
    FREEZE = "freeze"
    ERROR = "error"
    SLOW = "slow"


# How often at each step, where a seed has that fault at all; the steps of those who ask whether there is anything to do
# are many, and little can go wrong there.
RATES = {Fault.CRASH: 0.006, Fault.FREEZE: 0.004, Fault.ERROR: 0.03, Fault.SLOW: 0.05}
IDLE = ("store.lease", "store.outbox", "store.now", "wanted.due", "wanted.answers", "feed.poll")
IDLY = 0.1
# What the world does by itself every now and then: how often a second.
EVENTS = {"rebalance": 0.5, "zombie": 0.4, "server": 0.1, "days": 0.15, "replay": 0.5, "crash": 0.3, "freeze": 0.2}
FROZEN_S = (1.0, 3.0, 9.0)
SLOW_S = (0.05, 0.3, 1.5)


class Fate:
    """Draws from one seed. Each seed has some of the faults only, so that they meet in many mixtures."""

    def __init__(self, seed):
        self.rng = Random(seed)
        self.fired = Counter()
        self.healed = False
        kinds = [kind for kind in RATES if self.rng.random() < 0.6]
        zeal = self.rng.choice((0.5, 1, 1, 2))
        self._rates = [(kind, RATES[kind] * zeal) for kind in kinds]
        self._events = {name: rate * zeal for name, rate in EVENTS.items() if self.rng.random() < 0.6}
        self._delay_s = self.rng.choice((0.0005, 0.005, 0.03))
        self._focus = self.rng.choice(("", "", "w", "g"))  # faults of workers alone, of gates alone, or of all
        self.finance_s = self.rng.choice((0.0, 0.1, 0.6))  # how long finance takes for a call, at most
        self.batch, self.parts = self.rng.choice((1, 2, 5, 20)), self.rng.choice((1, 2))  # records at once; of a topic

    def delay(self, what):
        """How long a step takes that nothing happens to."""
        most_s = self._delay_s + (self.finance_s if what.startswith("finance") else 0)
        return self.rng.random() * most_s

    def fault(self, what, process):
        """What happens at a step of a process, mostly nothing."""
        if self.healed or not process.startswith(self._focus):
            return None
        drawn = self.rng.random() * (0.5 if self._focus else 1)
        if what.startswith(IDLE):
            drawn /= IDLY
        for kind, rate in self._rates:
            if drawn < rate:
                self.fired[f"{kind.value} {what}"] += 1
                return kind
            drawn -= rate
        return None

    def events(self, within_s):
        """What the world does by itself in the next moments."""
        names = [name for name, rate in self._events.items() if self.rng.random() < rate * within_s]
        self.fired.update(names)
        return names

    def frozen_s(self):
        return self.rng.choice(FROZEN_S)

    def slow_s(self):
        return self.rng.choice(SLOW_S)


class Written(Fate):
    """Nothing happens but what is written: by the number of a step a fault, or something that the world does there.

    `steps` tells what each step was; a call counts twice, before its effect and after it.
    """

    def __init__(self, script):
        super().__init__(0)
        self.script = dict(script)
        self.steps = []
        self._rates, self._events, self._delay_s = [], {}, 0.002
        self._focus = self.rng.choice(("", "", "w", "g"))  # faults of workers alone, of gates alone, or of all
        self.finance_s = self.rng.choice((0.0, 0.1, 0.6))  # how long finance takes for a call, at most
        self.batch, self.parts, self.finance_s = 1, 1, 0

    def fault(self, what, process):
        if self.healed:
            return None
        planned = self.script.get(len(self.steps))
        self.steps.append(what)
        if planned is not None:
            self.fired[f"{getattr(planned, 'value', planned)} {what}"] += 1
        return planned

    def frozen_s(self):
        return 3.0

    def slow_s(self):
        return 0.3

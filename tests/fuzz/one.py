"""One target under atheris, coverage-guided: `python tests/fuzz/one.py TARGET [options of libFuzzer] FOLDER…`."""

import sys
from pathlib import Path
from random import Random

import atheris

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
PACKAGES = ["mappers", "contracts_schema", "services.gate", "services.wiring", "services.runtime.reading",
            "services.reconciliation.admission", "connectors.webhooks"]  # fmt: skip

with atheris.instrument_imports(include=PACKAGES):
    from fuzz.hostile import mutated
    from fuzz.targets import TARGETS


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Half of the time tokens are exchanged, half of the time libFuzzer does what it likes."""
    rng = Random(seed)
    return mutated(data, rng, most) if rng.random() < 0.5 else atheris.Mutate(data, most)


if __name__ == "__main__":
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target, custom_mutator=mutate)
    atheris.Fuzz()

"""How many histories each law is tried on.

By default the seeds are always the same and a failing history is shown as it was found. MILEPOST_LAWS=long tries forty
times as many, with other seeds on every run, and makes a failing history as small as it can, which may take minutes.
"""

import os

from hypothesis import HealthCheck, Phase, settings

LONG = os.environ.get("MILEPOST_LAWS") == "long"
OTHER_SEEDS = LONG or os.environ.get("MILEPOST_LAWS") == "other"
_checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def tried(examples: int) -> settings:
    """The settings of one law; a failure prints what reproduces it."""
    return settings(
        max_examples=examples * (40 if LONG else 1),
        derandomize=not OTHER_SEEDS,
        deadline=None,
        database=None,
        print_blob=True,
        phases=list(Phase) if LONG else [Phase.explicit, Phase.generate],
        suppress_health_check=_checks,
    )

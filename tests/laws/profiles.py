"""How many histories each law is tried on: MILEPOST_LAWS=long for the long form, with other seeds on every run."""

import os

from hypothesis import HealthCheck, Phase, settings

FAST = os.environ.get("MILEPOST_LAWS") == "fast"  # a failing history is shown as it was found, not made small
LONG = os.environ.get("MILEPOST_LAWS") == "long"
_checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def tried(examples: int) -> settings:
    """The settings of one law. In CI the seeds are always the same; the long form prints the one that failed."""
    return settings(
        max_examples=examples * (40 if LONG else int(os.environ.get("N", "1"))),
        derandomize=not (LONG or FAST),
        deadline=None,
        database=None,
        print_blob=True,
        phases=[Phase.explicit, Phase.generate] if FAST else list(Phase),
        suppress_health_check=_checks,
    )

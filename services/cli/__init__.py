"""The front desk: the command line. What is heavy is imported where it is used, so that help answers at once.

Exit codes: 0 done, 1 it was tried and did not work (the sentence says why), 2 the set-up or the input is faulty.
"""

from __future__ import annotations

import sys

# Each module adds its commands to the app.
from services.cli import (  # noqa: F401
    act,
    adopt,
    archive,
    collect,
    console,
    contract,
    demo,
    export,
    gate,
    history,
    notices,
    operate,
    outlook,
    persons,
    publish,
    quarantine,
    report,
    setup,
    trial,
    worker,
)
from services.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Entry point of `milepost`."""
    import logging

    from contracts_schema.errors import ConfigurationError, MessageError, TransientError

    # What it says of a broker that does not answer stands in our own sentence; processes have a log besides.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        app()
    except ConfigurationError as error:
        _fail(2, *error.faults)
    except (MessageError, TransientError) as error:
        _fail(1, str(error))


def _fail(code: int, *sentences: str) -> None:
    for sentence in sentences:
        sys.stderr.write(f"milepost: {sentence}\n")
    sys.exit(code)

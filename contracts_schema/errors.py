"""Three families of errors, told apart by what to do next. The docstring of each is its meaning.

    MilepostError
      MessageError         the message is at fault: quarantine it, go on
        Unreadable           it cannot be understood, or is implausible; raises a doubt where its address can be read
        Refused              understood and not allowed; raises no doubt, what was in force stays
      TransientError       the world is at fault: back off, do it again, nothing is lost
      ConfigurationError   the set-up is at fault: refuse to start, with every fault listed

Anything else is a defect. Disagreement between systems is no error but a hold reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from contracts_schema.facts import Doubt


SENTENCE_MAX = 16_000  # characters; it stands in logs, states and quarantine records, whatever a stranger wrote


class MilepostError(Exception):
    """Base of every error that Milepost raises on purpose."""


class MessageError(MilepostError):
    """The message is at fault; it is quarantined with this sentence and its neighbours go on."""

    fault = "message"

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence if len(sentence) <= SENTENCE_MAX else f"{sentence[:SENTENCE_MAX]} ..."
        super().__init__(self.sentence)


class Unreadable(MessageError):
    """A message that cannot be understood or is implausible (rule A11).

    `doubts` names the milestones it spoke of, where source and address could still be read: they hold with
    `SOURCE_UNREADABLE` until a newer readable message of the same source.
    """

    fault = "unreadable"

    def __init__(self, sentence: str, doubts: Iterable[Doubt] = ()) -> None:
        super().__init__(sentence)
        self.doubts = tuple(doubts)


class Refused(MessageError):
    """A message that was understood and is not allowed (rule A11); it raises no doubt."""

    fault = "refused"


class TransientError(MilepostError):
    """The broker, the store or a vendor's system does not answer now; the same work is done again after a pause."""


class ConfigurationError(MilepostError):
    """The configuration, the broker or the database is not fit to start; `faults` lists everything that is wrong."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))

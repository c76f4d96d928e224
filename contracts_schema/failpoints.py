"""Failpoints: places in the program at which a test may let it die, fail, wait or stand still.

Each is a step whose interruption matters; ARCHITECTURE.md says of each what is safe there and what repairs it. Nothing
happens there unless a process was started with some of them armed, which only `services.wiring.failpoints` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

POINTS: Mapping[str, tuple[str, ...]] = {
    "worker": (
        "partitions.taken", "partitions.sought", "partitions.revoked", "partitions.drained",
        "batch.polled", "batch.attempted", "batch.fenced", "batch.keys_locked", "batch.loaded", "batch.claims_locked",
        "batch.decided", "batch.written", "batch.committed", "batch.noted", "offsets.told",
        "wake.read_past", "wake.taken", "wake.written", "wake.committed",
        "lease.asked", "lease.kept",
        "relay.read", "publish.sent", "publish.confirmed", "relay.deleted",
    ),
    "gate": (
        "intake.polled", "intake.fenced", "intake.written", "intake.committed", "tenure.renewed",
        "look.begun", "call.before", "call.after", "look.read_back", "look.written", "look.committed",
        "answers.published", "answers.deleted",
    ),
    "collect": (
        "collect.asked", "collect.published", "collect.kept", "webhook.verified", "webhook.published",
    ),
}  # fmt: skip
"""Every failpoint, by the process that is to be tested there."""

_hook: Callable[[str], None] | None = None


def failpoint(name: str) -> None:
    """Pass this place; where failpoints are armed, what was asked for happens. Off, it costs a look at a global."""
    if _hook is not None:
        _hook(name)


def arm(hook: Callable[[str], None] | None) -> None:
    """Let `hook` be called with the name of every failpoint that is passed; None disarms them."""
    global _hook
    _hook = hook

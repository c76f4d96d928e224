"""How many records the next batch takes.

Whoever is up to date waits for no one: few records, decided at once. Whoever is behind is better served by larger
batches: what a contract heard in one batch is one revision, so the more of it comes together, the less is decided,
written and published for the same facts. That ends where a batch is about too many contracts, each of which is held in
memory with its cases until all is written, and where it takes so long that the group might miss our heartbeats.
"""

CONTRACTS_MOST = 2_000  # some 40 KB each
SECONDS_MOST = 2.0  # of work, in which nothing else has its turn; a fifth of the session that a worker has by default


class Appetite:
    """`usual` records at once. A batch that was at least half full doubles it, up to `most`, for a batch that could be
    larger is not always filled up (`connectors/kafka/numbers.py`); one that was nearly empty, or too much work,
    halves it. Work that is too much even so goes down to `least`."""

    def __init__(self, usual: int, most: int, least: int | None = None) -> None:
        self.usual = self.now = usual
        self.most = max(usual, most)
        self.least = usual if least is None else least

    def had(self, records: int) -> None:
        """So many records came."""
        if records * 2 >= self.now:
            self.now = min(self.most, self.now * 2)
        elif records * 10 < self.now:
            self.now = max(min(self.usual, self.now), self.now // 2)

    def took(self, contracts: int, seconds: float) -> None:
        """So many contracts were decided in it, in so many seconds of work."""
        if contracts > CONTRACTS_MOST or seconds > SECONDS_MOST:
            self.choked()

    def choked(self) -> None:
        """So much was too much."""
        self.now = max(self.least, self.now // 2)

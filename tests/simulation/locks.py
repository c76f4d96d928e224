"""Locks of transactions, as Postgres has them: held until the transaction ends, shared or alone, waited for in line."""

import asyncio

from contracts_schema.errors import TransientError

STATEMENT_S = 30.0


class Deadlock(AssertionError):
    """Two transactions wait for each other, which the product's order of locks rules out."""


class Transaction:
    """Whoever holds locks. `over` once it has ended, by itself or by the server; `apply` is what its commit does."""

    def __init__(self, locks, owner):
        self.locks, self.owner = locks, owner
        self.over = False
        self.held = {}
        self.waits_for = None
        self.apply = None

    async def lock(self, *keys, shared=False):
        """Wait for each of these, in the order given."""
        for key in keys:
            await self.locks.take(self, key, shared=shared)
        self.refuse_ended()

    def refuse_ended(self):
        """Raises TransientError where the server has ended it."""
        if self.over:
            raise TransientError("57P01: terminating connection due to administrator command")

    async def commit(self):
        """Let it take effect, all at once, and let the locks go."""
        self.refuse_ended()
        if self.apply is not None:
            self.apply()
        self.end()

    def end(self):
        """Let the locks go; what was not committed never was."""
        self.over = True
        self.locks.release(self)


class Locks:
    def __init__(self):
        self._holders = {}  # key -> {transaction: whether it shares it}
        self._line = []  # (transaction, key, shared, future), in the order in which they came
        self._open = {}  # transactions, in the order in which they began

    def begin(self, owner):
        """Open a transaction of this process."""
        opened = Transaction(self, owner)
        self._open[opened] = None
        return opened

    def roll_back(self, owner=None):
        """End every open transaction, or those of one process: it died, or the server did."""
        for transaction in list(self._open):
            if owner in (None, transaction.owner):
                transaction.end()

    def is_free(self, transaction, key, *, shared=False):
        holders = self._holders.get(key, {})
        return all(holder is transaction or (shared and shares) for holder, shares in holders.items())

    def try_take(self, transaction, key, *, shared=False):
        """Take a lock if nobody is in the way."""
        if not self.is_free(transaction, key, shared=shared):
            return False
        holders = self._holders.setdefault(key, {})
        holders[transaction] = shared and holders.get(transaction, True)
        transaction.held[key] = None
        return True

    async def take(self, transaction, key, *, shared=False):
        """Take a lock, or wait for it. Raises TransientError after `STATEMENT_S`, Deadlock where that is the end."""
        if self.try_take(transaction, key, shared=shared):
            return
        turn = asyncio.get_running_loop().create_future()
        place = (transaction, key, shared, turn)
        self._line.append(place)
        transaction.waits_for = key
        self._refuse_circle(transaction)
        try:
            async with asyncio.timeout(STATEMENT_S):
                await turn
        except TimeoutError:
            raise TransientError("57014: canceling statement due to statement timeout") from None
        finally:
            transaction.waits_for = None
            self._line = [other for other in self._line if other is not place]

    def release(self, transaction):
        """Let everything of a transaction go, and those that wait take their turn."""
        self._open.pop(transaction, None)
        for key in transaction.held:
            self._holders[key].pop(transaction, None)
            if not self._holders[key]:
                del self._holders[key]
        transaction.held = {}
        for other, key, shared, turn in list(self._line):
            if not turn.done() and not other.over and self.try_take(other, key, shared=shared):
                turn.set_result(None)

    def _refuse_circle(self, start):
        seen, reached = set(), [start]
        while reached:
            at = reached.pop()
            for holder in self._holders.get(at.waits_for, {}) if at.waits_for else ():
                if holder is start and at is not start:
                    raise Deadlock(f"{start.owner} waits for {start.waits_for}, which waits for it")
                if holder not in seen:
                    seen.add(holder)
                    reached.append(holder)

"""Finance: invoices of one line each. A call may be applied and not answered, or not arrive at all."""

from msgspec.structs import replace

from contracts_schema.errors import TransientError
from contracts_schema.payables import Bill, Called, CallState, Payable

SUPPLIER = "SUP-1"
NET = 100_00


def a_bill(number, key):
    """An open invoice over 100.00, not blocked, under one key."""
    return Bill(f"inv:{number}", number, (SUPPLIER,), "EUR", NET, NET, "open", (Payable("1", NET, False),), (key,))


class Ledger:
    """What finance has."""

    def __init__(self):
        self.bills = {}

    def post(self, bill):
        """Enter an invoice, once."""
        self.bills.setdefault(bill.id, bill)

    def is_blocked(self, bill):
        return self.bills[bill].lines[0].blocked

    def change(self, bill, *, blocked):
        """Block or free the line of an invoice, as the gate's user."""
        changes = {"holder": "ours", "by": "milepost", "lifted_by": None} if blocked else {
            "holder": None, "by": None, "lifted_by": "ours"}  # fmt: skip
        line = replace(self.bills[bill].lines[0], blocked=blocked, **changes)
        self.bills[bill] = replace(self.bills[bill], lines=(line,))


class SimFinance:
    """One process's door to the ledger (port `Finance`). `on_call` judges each call as it leaves."""

    def __init__(self, ledger, wire, on_call):
        self._ledger, self._wire, self._on_call = ledger, wire, on_call

    async def check(self):
        """Nothing to find out."""

    async def find(self, number):
        return await self._wire.step("finance.find", self._find, number)

    async def get(self, bill):
        return await self._wire.step("finance.get", self._get, bill)

    async def open_bills(self, after):
        return await self._wire.step("finance.open", self._open)

    async def block(self, bill, line):
        return await self._change(bill, blocked=True)

    async def free(self, bill, line):
        return await self._change(bill, blocked=False)

    async def _change(self, bill, *, blocked):
        self._on_call(bill, blocked)

        async def change():
            self._ledger.change(bill.id, blocked=blocked)

        try:
            await self._wire.step("finance.block" if blocked else "finance.free", change)
        except TransientError as silent:
            return Called(CallState.UNKNOWN, str(silent))
        return Called(CallState.DONE)

    async def _find(self, number):
        return [bill for bill in self._ledger.bills.values() if bill.number == number]

    async def _get(self, bill):
        return self._ledger.bills.get(bill)

    async def _open(self):
        return sorted(self._ledger.bills.values(), key=lambda bill: bill.id), None

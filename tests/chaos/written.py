"""Finance's ledger in memory, which writes down what happens to it, as the judge reads it."""

import json

from msgspec.json import encode

from connectors.finance.simulator import Ledger


class WrittenLedger(Ledger):
    """`clock` gives microseconds since 1970."""

    def __init__(self, clock=lambda: 0, **manners):
        super().__init__(**manners)
        self.clock, self.written, self._is_called = clock, [], False

    def post(self, invoice):
        super().post(invoice)
        self._write("posted", invoice=invoice)

    def change(self, invoice, line, **fields):
        super().change(invoice, line, **fields)
        if not self._is_called:
            self._write("changed", invoice=self.invoices[invoice])

    def asked(self, invoice, line, *, held):
        before, self._is_called = self.line(invoice, line).held, True
        status, said = super().asked(invoice, line, held=held)
        self._is_called = False
        self._write("call", invoice=invoice, line=line, held=held, before=before, status=status)
        return status, said

    def _write(self, kind, **what):
        self.written.append(json.loads(encode({"kind": kind, "at": self.clock(), **what})))

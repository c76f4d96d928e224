"""Tryton 8 as finance system: payable lines over REST, and the buttons that block and free them (rules E4, F6).

The buttons are not idempotent: a repeat is answered with 400. So each is pressed once, and the gate reads back.
The gate's user needs the group Payment, and to read invoices, their lines and orders; nothing else.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from connectors.finance.web import Web, WebSettings, without_accounts
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.payables import Bill, Called
from mappers.finance import tryton as mapper

PAGE = 100
log = logging.getLogger(__name__)


class TrytonFinance:
    """One company in one database (port `Finance`). `url` ends with the database's name."""

    def __init__(self, settings: WebSettings, company: int = 1) -> None:
        context = {"company": company, "companies": [company]}
        self._web = Web(settings, {"X-Tryton-Context": _packed(context)})
        self._user: str | None = None

    async def close(self) -> None:
        """Close all connections."""
        await self._web.close()

    async def check(self) -> None:
        """Learn which user we are there: a block is ours where that user pressed the button last.

        Raises:
            TransientError: it does not answer.
            ConfigurationError: the key is refused, or it sees more users' keys than its own.
        """
        found = await self._search("res.user.application", [], ("user",))
        with _understanding():
            users = {str(entry["user"]["id"] if isinstance(entry["user"], dict) else entry["user"]) for entry in found}
        if len(users) != 1:
            raise ConfigurationError(["Tryton: give the gate a user of its own, who is no administrator"])
        self._user = users.pop()

    async def find(self, number: str) -> Sequence[Bill]:
        """Every posted, paid or cancelled supplier invoice with this number."""
        documents = await self._search(mapper.MODEL, mapper.same_number(number), mapper.FIELDS)
        return [bill for bill in await self._bills(documents) if mapper.bears(bill, number)]

    async def get(self, bill: str) -> Bill | None:
        """One invoice by id."""
        found = await self._bills(await self._search(mapper.MODEL, mapper.by_id(bill), mapper.FIELDS))
        return found[0] if found else None

    async def open_bills(self, after: str | None) -> tuple[Sequence[Bill], str | None]:
        """A page of posted supplier invoices, by id; one that cannot be understood is passed over."""
        domain = mapper.open_after(int(after or 0))
        documents = await self._search(mapper.MODEL, domain, mapper.FIELDS, limit=PAGE)
        with _understanding():
            following = str(int(documents[-1]["id"])) if len(documents) == PAGE else None
        return await self._bills(documents, passing_over=True), following

    async def block(self, bill: Bill, line: str) -> Called:  # noqa: ARG002 -- a line is known by itself
        """Press `payment_block`. Draft payments of the line are deleted by it."""
        return await self._press(line, mapper.BLOCK)

    async def free(self, bill: Bill, line: str) -> Called:  # noqa: ARG002 -- as above
        """Press `payment_unblock`."""
        return await self._press(line, mapper.UNBLOCK)

    async def _press(self, line: str, button: str) -> Called:
        return await self._web.change("POST", f"rest/model/{mapper.LINE}/{int(line)}/{button}", {})

    async def _bills(self, documents: Sequence[dict[str, Any]], *, passing_over: bool = False) -> list[Bill]:
        """Invoices with who pressed which button of their lines.

        Raises:
            TransientError: one of them cannot be understood, and none is to be passed over.
        """
        if self._user is None:
            await self.check()
        lines = mapper.line_numbers(documents)
        pressed = await self._search(mapper.LOG, mapper.presses_of(lines), mapper.LOG_FIELDS) if lines else []
        bills = []
        with _understanding():
            presses = mapper.last_presses(pressed)
        for document in documents:
            try:
                with _understanding():
                    bills.append(mapper.bill(document, presses, self._user or ""))
            except TransientError as fault:
                if not passing_over:
                    raise
                log.warning("an open invoice is passed over: %s", fault)
        return bills

    async def _search(
        self, model: str, domain: list[Any], fields: Sequence[str], limit: int | None = None
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Records of a model, by id."""
        asked = [("f", field) for field in fields]
        asked += [("d", _packed(domain)), ("o", _packed([["id", "ASC"]]))]
        asked += [("s", str(limit))] if limit else []
        found = await self._web.read(f"rest/model/{model}", asked)
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise ConfigurationError([f"Tryton: {model} is answered with what is no list; check url"])
        return found


@contextmanager
def _understanding() -> Iterator[None]:
    """An answer of a shape that nobody foresaw is one that is not understood: it ends no gate."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        why = without_accounts(str(fault)) if isinstance(fault, ValueError) else "it is of another shape than Tryton's"
        raise TransientError(f"Tryton: {why}; may the gate's user read it?") from None


def _packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()

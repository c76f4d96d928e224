"""Stories of a finance system for the judge: a worker in memory, a real gate, and a ledger behind real HTTP.

Each is healthy, and shows a planted bug of the gate. What goes wrong around the gate (commands altered, forged, missing
or sent again; calls that are not answered; people at finance's own desk) is made to go wrong by hand.
"""

import copy
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from builders import Story, a_contract, a_milestone, an_amendment, invoice, met, micros, received, registered
from chaos.written import WrittenLedger
from gate_desk import COMMANDS, Desk
from judging.commands import id_of
from memory_evidence import came_in, of_story
from msgspec.json import decode, encode

from connectors.finance.http import Invoice, Line
from connectors.finance.simulator import serving
from connectors.memory_feed import MemoryTopics
from connectors.memory_gate import MemoryWanted
from contracts_schema.errors import TransientError
from contracts_schema.rows import FenceLost, Partition
from services.gate.answers import Voice

FORGED = ("milepost-forged", b"1")
ANSWERS, P0 = "ap.events", Partition(COMMANDS, 0)
MINUTE_US = 60_000_000
INVOICED = a_contract(a_milestone(requires=["invoiced"], refs={"erp": ["line:1"]}))
MET = a_contract(a_milestone(requires=["met", "invoiced"]))


def a_bill(number="I-1", gross="100.00", net="100.00", lines=None, name=None, **fields):
    """An open invoice of the supplier's, in finance."""
    made = lines or (Line("1", gross, held=False),)
    return Invoice(name or f"inv:{number}", number, ("SUP-1",), "EUR", net, gross, "open", made, **fields)


@dataclass
class Office:
    """Worker, gate and finance: `says` lets sources speak, and what the worker then commands is carried out."""

    story: Story
    ledger: WrittenLedger
    desk: Desk | None = None
    past_us: int = 0
    sent: int = 0  # commands
    heard: int = 0  # answers
    only: tuple = ()  # names of the checks that this story is for, where others rightly find something

    def clock(self):
        return micros(self.story.now) + self.past_us

    async def says(self, *events):
        self.story.tell(*events)
        await self.commands(*self.new())

    def new(self):
        """The rows of commands that were not sent yet."""
        said = [row for report in self.story.reports for row in report.said.commands]
        new, self.sent = said[self.sent :], len(said)
        return new

    def sends(self, *rows):
        """Let these commands come to stand in their topic."""
        for row in rows:
            self.desk.topics.append(COMMANDS, row.key, row.value, row.headers)

    async def commands(self, *rows):
        """Let these commands come to the gate, and let it act."""
        self.sends(*rows)
        await self.takes_in()
        await self.acts()

    async def acts(self):
        """The gate acts, and the worker hears of it."""
        await self.desk.turn()
        answers = self.desk.topics.records[Partition(ANSWERS, 0)]
        if answers[self.heard :]:
            self.story.carry(answers[self.heard :])
        self.heard = len(answers)

    async def takes_in(self):
        while await self.desk.gate.take_in():
            pass

    async def forged(self, row, headers=(), **changes):
        """Let a command come that somebody has altered on its way."""
        marked = tuple((dict(row.headers) | dict([*headers, FORGED])).items())
        value = encode(decode(row.value) | changes)
        self.desk.topics.append(COMMANDS, row.key, value, marked)

    def evidence(self):
        evidence = of_story(self.story, {self.story.rules.rulebook.hash: self.story.rules.rulebook.content})
        evidence.topics[COMMANDS] = list(map(came_in, self.desk.topics.records[P0]))
        evidence.ledger, evidence.ledger_of, evidence.keys_of = self.ledger.written, "ap", ("erp",)
        evidence.refused = {refusal.origin for refusal in self.desk.wanted.refused.values()}
        return evidence


@asynccontextmanager
async def an_office(**manners):
    """An office whose worker pays by `ap`; `manners` are those of the ledger."""
    office = Office(Story(), WrittenLedger(**manners))
    office.ledger.clock = office.clock
    topics = MemoryTopics({COMMANDS: 1, ANSWERS: 1}, clock=office.clock)
    async with serving(office.ledger) as url:
        wanted = MemoryWanted("ap", office.story.store._tables.crosswalk, office.clock)
        voice, log = Voice("ap", ANSWERS), office.story.store
        office.desk = Desk(office.ledger, url, wanted, topics=topics, voice=voice, proofs=log, sources=("erp",))
        office.desk.tenure._clock = lambda: office.clock() / 1e6
        await office.desk.start()
        try:
            yield office
        finally:
            office.ledger.silence_s = 0
            await office.desk.finance.close()


async def an_older_invoice_takes_what_another_was_paid_for(office):
    """I-2 is released; then I-1 comes, which is older, and what was released falls on that one."""
    office.ledger.post(a_bill("I-2"))
    office.ledger.post(a_bill("I-1"))
    await office.says(registered(INVOICED), invoice("100.00", "I-2", issued_on="2026-02-20"))
    await office.says(invoice("100.00", "I-1", issued_on="2026-02-10"))


async def old_commands_come_again(office):
    await an_older_invoice_takes_what_another_was_paid_for(office)
    for record in list(office.desk.topics.records[P0]):
        await office.commands(record)


async def a_command_is_altered_on_its_way(office):
    office.ledger.post(a_bill())
    await office.says(registered(MET))
    office.story.tell(invoice("100.00"))
    (row,) = office.new()
    (target,) = decode(row.value)["targets"]
    free = target | {"payable_to_date": target["net"], "state": "free"}
    await office.forged(row, targets=[free])
    await office.commands()
    await office.commands(row)


async def a_command_is_invented(office):
    office.ledger.post(a_bill())
    await office.says(registered(MET), invoice("100.00"))
    last = [row for report in office.story.reports for row in report.said.commands][-1]
    command = decode(last.value)
    (target,) = command["targets"]
    command |= {"sequence": 3, "targets": [target | {"payable_to_date": target["net"], "state": "free"}]}
    name = id_of(command)
    await office.forged(last, [("ce_id", name.encode())], **command | {"command_id": name})
    await office.commands()


async def an_envelope_says_something_else(office):
    office.ledger.post(a_bill())
    office.story.tell(registered(MET), invoice("100.00"))
    first, second = office.new()
    await office.commands(first)
    await office.forged(second, [("ce_type", b"milepost.payment.release.v1")])
    await office.commands()
    await office.commands(second)


async def a_command_is_missing(office):
    """It is still on its way: what pays more waits for it."""
    office.only = ("check_finance",)
    office.ledger.post(a_bill())
    office.story.tell(registered(MET), invoice("100.00"), met())
    first, _, third = office.new()
    await office.commands(first, third)


async def an_older_command_comes_late(office):
    """It was on its way while a newer one overtook it."""
    office.only = ("check_finance",)
    office.ledger.post(a_bill("I-2"))
    office.story.tell(registered(INVOICED), invoice("100.00", "I-2", issued_on="2026-02-20"))
    office.story.tell(invoice("100.00", "I-1", issued_on="2026-02-10"))
    first, second, *newer = office.new()
    await office.commands(first, *newer)
    await office.commands(second)


async def another_finance_system_pays_from_now_on(office):
    office.ledger.post(a_bill())
    moved = MET | {"version": 2, "finance": "ap-us", "amendment": an_amendment()}
    await office.says(registered(MET), invoice("100.00"), registered(moved), met())


async def _a_release_and_what_follows(office):
    """The release of I-2 was taken in; the command that takes it back, since I-1 has come, is on its way."""
    office.ledger.post(a_bill("I-2"))
    await office.says(registered(MET), invoice("100.00", "I-2", issued_on="2026-02-20"))
    office.story.tell(met())
    release = office.new()
    office.story.tell(invoice("100.00", "I-1", issued_on="2026-02-10"))
    follows = office.new()
    office.sends(*release)
    await office.takes_in()
    return follows


async def a_hold_comes_while_a_release_is_looked_at(office):
    """Finance takes two minutes to show the invoice; meanwhile the hold is taken in."""
    follows, asked = await _a_release_and_what_follows(office), office.desk.finance.find

    async def find(number):
        found, office.desk.finance.find = await asked(number), asked
        office.sends(*follows)
        await office.takes_in()
        office.past_us += 2 * MINUTE_US
        await office.desk.tenure.renew()
        return found

    office.desk.finance.find = find
    with suppress(FenceLost):
        await office.desk.driver.look("n:I-2")
    office.desk.finance.find = asked
    await office.acts()


async def the_gate_stands_still_before_a_release(office):
    """For two minutes: its session with the database has ended, its lease too, and another one takes the hold in."""
    follows, wanted = await _a_release_and_what_follows(office), office.desk.wanted
    releasing = wanted.releasing

    @asynccontextmanager
    async def interrupted(subject, generation):
        async with releasing(subject, generation) as still_wanted:
            pass
        office.sends(*follows)
        await office.takes_in()
        office.past_us += 2 * MINUTE_US
        yield still_wanted

    wanted.releasing = interrupted
    with suppress(FenceLost):
        await office.desk.driver.look("n:I-2")
    wanted.releasing = releasing
    await office.desk.tenure.renew()
    await office.acts()


async def a_clerk_frees_and_pays_what_is_held(office):
    """Between the reading and the call, without a release."""
    office.ledger.post(a_bill())
    await office.says(registered(MET), invoice("100.00"))
    asked = office.desk.finance.find

    async def find(number):
        found, office.desk.finance.find = await asked(number), asked
        office.ledger.change("inv:I-1", "1", state="paid", held=False, freed_by="clerk", payment="by hand")
        return found

    office.desk.finance.find = find
    await office.says(met())
    await office.desk.wanted.wake({"n:I-1"})
    await office.acts()


async def a_call_is_done_and_not_answered(office):
    office.ledger.silence_s = 1
    office.ledger.post(a_bill())
    office.ledger.faults.append("silent_after")
    await office.says(registered(INVOICED | {"milestones": MET["milestones"]}), invoice("100.00"))
    office.ledger.faults.append("error_before")
    await office.says(met())
    await office.acts()


async def a_clerk_holds_the_same_invoice(office):
    office.ledger.post(a_bill(lines=(Line("1", "60.00", held=False), Line("2", "40.00", held=True, held_by="clerk"))))
    await office.says(registered(MET), invoice("100.00"), met())


async def an_invoice_comes_that_no_command_names(office):
    office.ledger.post(a_bill("I-9", keys=("line:1",)))
    await office.says(registered(INVOICED))
    await office.desk.scan.walk()
    await office.acts()


async def two_open_invoices_bear_one_number(office):
    office.ledger.post(a_bill(name="inv:1"))
    office.ledger.post(a_bill(name="inv:2"))
    await office.says(registered(INVOICED), invoice("100.00"))


async def the_gate_is_set_back_and_answers_again(office):
    office.ledger.post(a_bill())
    before = copy.deepcopy((office.desk.wanted.contracts, office.desk.wanted.invoices, office.desk.wanted.listings))
    await office.says(registered(MET), invoice("100.00"))
    kept = office.desk.wanted
    kept.contracts, kept.invoices, kept.listings = before
    kept.offsets = {place: (owner, 0) for place, (owner, _) in kept.offsets.items()}
    await office.desk.feed.rewind({P0: 0})
    office.past_us += MINUTE_US
    await office.commands()


async def the_broker_does_not_confirm_an_answer(office):
    office.ledger.post(a_bill())
    office.story.tell(registered(INVOICED), invoice("100.00"))
    office.sends(*office.new())
    await office.takes_in()
    await office.desk.gate.act()
    publisher = office.desk.gate._publisher
    publisher.refuses = True
    try:
        await office.desk.gate.answer()
    except TransientError:
        publisher.refuses = False
    await office.acts()


async def a_share_comes_to_parts_of_a_cent(office):
    office.ledger.post(a_bill(gross="119.00", lines=(Line("1", "59.52", held=False), Line("2", "59.48", held=False))))
    plan = a_contract(a_milestone(requires=["received", "invoiced"]))
    await office.says(registered(plan), invoice("100.00"), received("5001", "10000"))


OFFICES = (
    an_older_invoice_takes_what_another_was_paid_for, old_commands_come_again, a_command_is_altered_on_its_way,
    a_command_is_invented, an_envelope_says_something_else, a_command_is_missing, an_older_command_comes_late,
    another_finance_system_pays_from_now_on, a_hold_comes_while_a_release_is_looked_at,
    the_gate_stands_still_before_a_release, a_clerk_frees_and_pays_what_is_held, a_call_is_done_and_not_answered,
    a_clerk_holds_the_same_invoice, an_invoice_comes_that_no_command_names, two_open_invoices_bear_one_number,
    the_gate_is_set_back_and_answers_again, the_broker_does_not_confirm_an_answer, a_share_comes_to_parts_of_a_cent,
)  # fmt: skip

"""What a gate knows may be old: it acts once it has read what lay in the topic when finance became its own."""

from gate_desk import COMMANDS, Desk, command, invoice, target

from connectors.finance.simulator import Ledger, serving
from connectors.memory import MemoryStore
from services.gate.loop import Tenure
from services.runtime.outgoing import command_row

HOLD = command(1, [target(payable=0)])
FREE = command(2, [target(payable=100_00)])
HOLD_AGAIN = command(3, [target(payable=0)], value=2000_00)
BLOCKED, FREED = ("inv:INV-1", "1", True), ("inv:INV-1", "1", False)


async def test_a_release_of_before_waits_while_a_hold_that_came_later_is_not_read_yet():
    ledger = Ledger()
    ledger.post(invoice())
    async with serving(ledger) as url:
        before = Desk(ledger, url)
        await before.start()
        await before.settle(HOLD)
        ledger.down = True
        await before.settle(FREE)  # taken in, and not done when the gate ends
        await before.tenure.leave()
        row = command_row(HOLD_AGAIN, COMMANDS)
        before.topics.append(COMMANDS, row.key, row.value, row.headers)
        ledger.down = False
        after = Desk(ledger, url, before.wanted, before.store, before.topics, owner="gate-2")
        await after.start()
        await after.turn()
        assert FREED not in ledger.calls
        await after.gate.take_in()
        await after.turn()
        assert set(ledger.calls) == {BLOCKED}
        assert ledger.line("inv:INV-1", "1").held
        for desk in (before, after):
            await desk.finance.close()


async def test_whoever_had_the_lease_all_the_time_need_not_ask_again_and_whoever_lost_it_must():
    now = [0.0]
    tenure = Tenure(MemoryStore(), "gate/ap-eu", "gate-1", 30, lambda: now[0])
    terms = []
    for at in (0, 10, 20, 60, 70):  # it stands still for longer than the lease
        now[0] = at
        await tenure.renew()
        terms.append(tenure.term)
    await tenure.leave()
    await tenure.renew()
    assert [*terms, tenure.term] == [1, 1, 1, 2, 2, 3]

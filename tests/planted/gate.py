"""Bugs of the gate: what it believes, what it waits for, what it calls."""

from planted.bug import Bug

FENCE = "tests/unit/test_gate_fence.py::test_"
LINES = "tests/unit/test_gate_lines.py::test_"
SIMULATED = "tests/integration/test_gate_simulator.py::test_"
WANTED = "tests/conformance/test_gate_wanted.py::test_"

BUGS = (
    Bug(
        "an older command replaces a newer one", "services/gate/fence.py",
        "    if before is not None and command.sequence < before.sequence:\n", "    if before is not None and False:\n",
        "commands in rising sequence",
        (FENCE + "any_order_and_any_repeats_end_in_the_newest",
         FENCE + "a_release_never_comes_back_after_a_later_hold_was_seen"),
    ),
    Bug(
        "content whose id differs is accepted", "services/gate/fence.py",
        "    if identity(command) != command.command_id:\n", "    if not command.command_id:\n",
        "the id binds the content",
        (FENCE + "a_command_altered_on_its_way_is_refused",),
    ),
    Bug(
        "one sequence may say two things", "services/gate/fence.py",
        "        if before.command_id != command.command_id:\n", "        if not before.command_id:\n",
        "the id binds the content",
        (FENCE + "the_same_sequence_with_other_content_is_refused",),
        unseen="log",
    ),
    Bug(
        "the envelope is not compared", "services/gate/fence.py",
        "    _refuse_contradictions(record, command)\n", "",
        "nobody is misled by an envelope",
        (FENCE + "an_envelope_that_says_something_else_is_refused",),
    ),
    Bug(
        "what pays more does not wait for a gap", "services/gate/memory.py",
        "        return wish.payable if kept.sequence <= self.upto else wish.safe\n", "        return wish.payable\n",
        "a gap delays releases",
        (FENCE + "a_hold_counts_at_once_and_a_gap_delays_only_what_pays_more",),
    ),
    Bug(
        "another finance system's command frees here", "services/gate/fence.py",
        "payable if ours else kept_safe,", "payable,",
        "each finance system pays its own",
        (FENCE + "a_command_for_another_finance_system_frees_nothing_here",),
    ),
    Bug(
        "the topic is believed, not the log", "services/gate/intake.py",
        "unproven = [(r, c) for r, c in read if (c.command_id, c.finance) not in genuine]\n",
        "unproven = [(r, c) for r, c in read if not genuine and not read]\n",
        "no forged command is obeyed",
        ("tests/unit/test_gate_forgeries.py",),
    ),
    Bug(
        "it releases while a newer hold waits", "services/gate/drive.py",
        "            if not still_wanted:\n", "            if still_wanted is None:\n",
        "no release after a later hold was taken in",
        (SIMULATED + "no_release_goes_out_once_a_later_hold_was_taken_in",),
    ),
    Bug(
        "a release on its way keeps no command out", "connectors/postgres/gate.py",
        "            for number in sorted({lock_of(finance, subject) for subject in woken}):\n",
        "            for number in ():\n",
        "no release after a later hold was taken in",
        (WANTED + "no_command_is_taken_in_while_a_release_of_its_invoice_is_on_its_way[postgres]",),
        server=True,
        unseen="Postgres",
    ),
    Bug(
        "a lease is believed for ever", "services/gate/loop.py",
        "        return self.epoch is not None and self._clock() < self._until - self._seconds / 3\n",
        "        return self.epoch is not None\n",
        "a single writer",
        (SIMULATED + "a_gate_whose_lease_ran_out_in_the_middle_frees_nothing",),
    ),
    Bug(
        "it frees after its lease ran out", "services/gate/drive.py",
        "            self._refuse_if_lost()\n            if not still", "            if not still",
        "a single writer",
        (SIMULATED + "a_gate_whose_lease_ran_out_in_the_middle_frees_nothing",),
    ),
    Bug(
        "a call is repeated on a timeout", "connectors/finance/web.py",
        "        except TransientError as silent:\n            return Called(CallState.UNKNOWN, str(silent))\n",
        "        except TransientError:\n            status, raw = await self._exchange(method, path, None, body)\n",
        "an unanswered call is asked about, never sent again",
        (SIMULATED + "a_call_that_was_done_without_an_answer_is_told_from_reading",),
    ),
    Bug(
        "a server's error counts as done", "connectors/finance/web.py",
        "        if status < 300:\n            return Called", "        if status < 600:\n            return Called",
        "how a call ended is told by reading",
        ("tests/integration/test_gate_web.py",
         SIMULATED + "a_call_without_an_answer_that_was_not_done_is_unknown_then_settled_under_the_same_id"),
    ),
    Bug(
        "it lifts blocks of other people", "services/gate/steps.py",
        "and line.blocked and line.holder == \"ours\" and outlook.orders:\n", "and line.blocked and outlook.orders:\n",
        "a hold that is not ours is never touched",
        (LINES + "a_release_frees_our_blocks_and_never_another_s",),
    ),
    Bug(
        "it fails open", "services/gate/steps.py",
        "stop=bool(mine) or (holds_unclaimed and bill.id in claimed)", "stop=bool(mine)",
        "an open invoice that no command names is blocked",
        (LINES + "an_unclaimed_invoice_under_a_contract_s_key_is_blocked_unless_it_is_only_observed",),
    ),
    Bug(
        "of two invoices of one number it guesses", "services/gate/steps.py",
        "    allocation = allocate(bill, 0 if ambiguous else payable)\n", "    allocation = allocate(bill, payable)\n",
        "nothing is guessed",
        (LINES + "of_two_open_invoices_with_one_number_none_is_freed_unless_the_command_names_it",),
    ),
    Bug(
        "the same answer gets another id", "services/gate/answers.py",
        '    identity = f"{command_id}\\0{result.state}\\0{observation}"\n',
        '    identity = f"{command_id}\\0{result.state}\\0{now}"\n',
        "a repeat is known as one",
        ("tests/unit/test_gate_answers.py::test_the_same_answer_given_again_after_a_crash_has_the_same_id",),
    ),
    Bug(
        "answers go before they are confirmed", "services/gate/loop.py",
        "            await self._publisher.publish([row for _, row in waiting])\n",
        "            await self._wanted.answered([number for number, _ in waiting])\n"
        "            await self._publisher.publish([row for _, row in waiting])\n",
        "no answer is lost",
        ("tests/unit/test_gate_answers.py::test_what_the_broker_did_not_confirm_is_said_again",),
    ),
    Bug(
        "the share of an invoice rounds up", "mappers/finance/allocation.py",
        "    return bill.gross * min(payable, bill.net) // bill.net\n",
        "    return -(-bill.gross * min(payable, bill.net) // bill.net)\n",
        "a rounding never frees more",
        (LINES + "lines_are_freed_in_order_of_maturity_while_their_gross_fits",),
    ),
)  # fmt: skip

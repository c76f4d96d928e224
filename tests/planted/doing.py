"""Bugs of the doing room and of the store: fence, claims, parking, relay, reviews, quarantine."""

from planted.bug import Bug

HALLWAY = "tests/acceptance/test_hallway.py::test_"
AT_ONCE = "tests/integration/test_keys_at_once.py::test_"
OFFSETS, CONTRACTS, KEEPING = (
    f"tests/conformance/test_store_{part}.py::test_" for part in ("offsets", "contracts", "keeping")
)

BUGS = (
    Bug(
        "the fence is not asked", "services/runtime/hallway.py",
        "            await batch.fence(owner, ranges)\n", "",
        "a record counts once",
        (HALLWAY + "a_worker_that_lost_its_partitions_unawares_drops_its_batch",),
    ),
    Bug(
        "the fence compares the wrong way", "connectors/postgres/batch.py",
        "where o.owner = $1 and coalesce(o.next_offset, 0) <= r.first\n",
        "where o.owner = $1 and coalesce(o.next_offset, 0) >= r.first\n",
        "a record counts once",
        (OFFSETS + "offsets_that_were_passed_already_cannot_be_moved_again[postgres]",
         OFFSETS + "a_gap_left_by_compaction_is_allowed[postgres]"),
        server=True,
    ),
    Bug(
        "the fence does not ask for the owner", "connectors/postgres/batch.py",
        "where o.owner = $1 and coalesce(o.next_offset, 0) <= r.first\n",
        "where o.owner <> '' and $1 <> '' and coalesce(o.next_offset, 0) <= r.first\n",
        "a single writer",
        (OFFSETS + "the_owner_before_cannot_move_a_partition_any_more[postgres]",),
        server=True,
        unseen="offset",
    ),
    Bug(
        "the offset is stored before what was read", "services/runtime/hallway.py",
        "            await batch.fence(owner, ranges)\n",
        "            await batch.fence(owner, ranges)\n        async with self.store.batch() as batch:\n",
        "no input is lost",
        (HALLWAY + "a_store_that_does_not_answer_costs_time_and_nothing_else",),
    ),
    Bug(
        "the contract's row is not locked", "connectors/postgres/batch.py",
        'LOAD = "select id, state from contract where id = any($1::text[]) order by id for update"',
        'LOAD = "select id, state from contract where id = any($1::text[]) order by id"',
        "one decides at a time",
        (CONTRACTS + "two_batches_over_one_contract_see_each_others_work[postgres]",),
        server=True,
        unseen="key",
    ),
    Bug(
        "claimed invoices are not locked", "connectors/postgres/batch.py",
        "on conflict (key) do update set claims = held.claims returning key, claims\n",
        "on conflict (key) do nothing returning key, claims\n",
        "an invoice is paid once",
        ("tests/conformance/test_claims.py",),
        server=True,
    ),
    Bug(
        "a parked fact is dropped", "services/runtime/gathered.py",
        "        self.changes.parked.append(parked_row(",
        "        (parked_row(",
        "no input is lost",
        (HALLWAY + "facts_that_come_before_their_contract_count_when_it_comes",),
    ),
    Bug(
        "facts are parked under no lock", "services/runtime/work.py",
        "            await batch.lock_keys(keys - claimed, claimed)\n", "            await batch.lock_keys((), ())\n",
        "no fact is parked while its contract comes in unseen",
        ("tests/unit/test_parking_locks.py",),
    ),
    Bug(
        "others that claim an invoice are not woken", "services/runtime/work.py",
        "        self.gathered.changes.wakes += [(contract, 0, CLAIMS) for contract in settled.woken]\n", "",
        "an invoice is paid once",
        ("tests/unit/test_claims.py", "tests/laws/test_claims.py"),
    ),
    Bug(
        "a registration wakes nobody for what was parked", "services/runtime/gathered.py",
        "            self.changes.wakes.append((contract, 0, UNPARK))\n", "            pass\n",
        "no input is lost",
        ("tests/unit/test_react.py::test_a_parked_fact_counts_from_the_registration_on_and_says_so",),
    ),
    Bug(
        "what stood under a key counts though another contract claims it too", "services/runtime/moving.py",
        "    if elsewhere == known:\n", "    if elsewhere != known or True:\n",
        "a fact is its contract's",
        ("tests/unit/test_shared_keys.py", "tests/laws/test_shared_keys.py"),
    ),
    Bug(
        "a key that is given up leaves behind what stood under it", "services/runtime/moving.py",
        "    yield from ((contract, KEYS) for contract in (*gave, *known.get(watched(key), ())))\n",
        "    yield from ((contract, KEYS) for contract in known.get(watched(key), ()))\n",
        "a fact is its contract's",
        ("tests/unit/test_shared_keys.py", "tests/laws/test_shared_keys.py"),
    ),
    Bug(
        "a line that another contract claims stays with its order", "services/runtime/gathered.py",
        "            self.watches |= watches(turn.state, [o.address for o in keyed if o.address is not None])\n", "",
        "a fact is its contract's",
        ("tests/unit/test_shared_keys.py",),
    ),
    Bug(
        "a contract does not look again at a key that was just being claimed", "services/runtime/moving.py",
        "        moved.early.update((contract,) if not borne[contract].issubset(locked) else ())\n", "",
        "a fact is its contract's",
        (AT_ONCE + "a_contract_that_registers_gets_what_came_meanwhile_by_the_order",),
        server=True,
        unseen="claim",
    ),
    Bug(
        "a version that comes into force wakes nobody once it counts", "services/runtime/gathered.py",
        "            self.changes.wakes.append((contract, 0, NEW_KEYS))\n", "            pass\n",
        "a fact is its contract's",
        (AT_ONCE + "a_version_that_comes_into_force_gets_what_came_meanwhile_by_the_order",),
        server=True,
        unseen="claim",
    ),
    Bug(
        "the relay asks for no lease", "services/runtime/relay.py",
        "            while full and await self._leases.keep(_name(lane)):\n", "            while full:\n",
        "a single writer",
        (HALLWAY + "one_relay_at_a_time_owns_a_lane",),
        unseen="again",
    ),
    Bug(
        "the relay goes on when its lease has gone", "services/runtime/relay.py",
        "            if not await self._leases.keep(_name(lane)):\n                return 0\n", "",
        "order inside a contract",
        ("tests/unit/test_relay.py::test_a_lease_that_goes_between_two_sends_stops_the_second",),
    ),
    Bug(
        "the relay deletes before it is confirmed", "services/runtime/relay.py",
        "        records = await self._lanes.render(lane, rows)\n",
        "        records = await self._lanes.render(lane, rows)\n"
        "        await self._store.published(lane, [row.id for row in rows])\n",
        "no command is lost",
        ("tests/unit/test_relay.py::test_what_a_broker_refused_stays_in_the_outbox_and_goes_out_later",),
    ),
    Bug(
        "the relay breaks the order inside a contract", "services/runtime/lanes.py",
        "    return [r for r in rows if r.contract in urgent] + [r for r in rows if r.contract not in urgent]\n",
        "    return [r for r in rows if r.urgent] + [r for r in rows if not r.urgent]\n",
        "order inside a contract",
        (HALLWAY + "contracts_with_a_waiting_hold_go_first_when_the_relay_is_behind",),
    ),
    Bug(
        "partitions are let go of while a batch runs", "services/runtime/holdings.py",
        "        await self._at_rest.wait()\n", "",
        "a partition has one reader",
        ("tests/unit/test_holdings.py",),
        unseen="fence",
    ),
    Bug(
        "a review runs before all sources are read past its moment", "services/runtime/reviews.py",
        "await self._hallway.wake(await self._store.frontier(), AT_A_TIME, now)",
        "await self._hallway.wake(now, AT_A_TIME, now)",
        "yesterday's dispute counts before midnight's review",
        ("tests/unit/test_reviews.py",),
    ),
    Bug(
        "what is quiet is read past beyond the clock", "services/runtime/reviews.py",
        "{p: min(moment, now) for p, moment in past.items()}", "{p: moment for p, moment in past.items()}",
        "no clock but the database's",
        ("tests/unit/test_reviews.py",),
    ),
    Bug(
        "quarantine loses bytes", "services/runtime/reading.py",
        "headers=record.headers, value=record.value,", "headers=record.headers, value=value[:-1],",
        "what was set aside is kept whole",
        ("tests/unit/test_hostile_records.py",),
    ),
    Bug(
        "what cannot be read raises no doubt", "services/runtime/reading.py",
        "doubts = error.doubts if isinstance(error, Unreadable) else ()", "doubts = ()",
        "unknown never releases",
        ("tests/unit/test_redrive.py", "tests/unit/test_react.py"),
    ),
    Bug(
        "a frozen contract is decided all the same", "services/runtime/containment.py",
        "        if state.frozen == self._release:\n", "        if state.frozen == 'never':\n",
        "what cannot be decided releases nothing",
        ("tests/unit/test_react.py::test_a_frozen_contract_stays_frozen_until_another_release_decides_it",),
        unseen="right",
    ),
    Bug(
        "a defect loses the facts that met it", "services/runtime/containment.py",
        "        state.frozen, state.deferred = self._release, list(arrivals)\n",
        "        state.frozen = self._release\n",
        "no input is lost",
        (HALLWAY + "a_contract_that_cannot_be_decided_is_frozen_and_decided_by_the_next_release",
         "tests/unit/test_react.py::test_a_defect_freezes_one_contract_its_facts_are_kept_and_it_is_undecided"),
    ),
    Bug(
        "a lease can be taken while it is held", "connectors/postgres/store.py",
        "then excluded.owner else old.owner end,\n        epoch = old.epoch + (old.owner <> excluded.owner and "
        "old.expires_at <= clock_timestamp())::int\n    where old.owner = excluded.owner or ",
        "then excluded.owner else excluded.owner end,\n        epoch = old.epoch + (old.owner <> excluded.owner)::int\n"
        "    where old.owner <> excluded.owner or old.owner = excluded.owner or ",
        "a single writer",
        (KEEPING + "a_lease_is_held_by_one_and_renewed_by_him[postgres]",
         KEEPING + "many_workers_reach_for_a_lease_and_one_gets_it[postgres]"),
        server=True,
    ),
    Bug(
        "the control totals leave parked records out", "services/runtime/totals.py",
        "    for outcome in outcomes:\n",
        "    for outcome in [o for o in outcomes if o.merged is not Merged.PARKED]:\n",
        "every record has one recorded outcome",
        ("tests/unit/test_control_totals.py",),
    ),
    Bug(
        "persons get past the reader", "services/runtime/reading.py",
        "facts, persons = self._pseudonyms.hide(facts)", "persons = self._pseudonyms.hide(facts).persons",
        "no person is named in the log",
        ("tests/laws/test_persons.py::test_no_person_of_any_history_is_named_in_state_log_or_outbox",),
        unseen="names",
    ),
    Bug(
        "the rulebook names people", "services/settings.py",
        "people = self.people if persons is None else persons.people(self.people)", "people = self.people",
        "one person under two names is one",
        ("tests/unit/test_persons_cli.py",),
        unseen="names",
    ),
)  # fmt: skip

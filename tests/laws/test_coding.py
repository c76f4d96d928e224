"""Law 8: whatever is encoded decodes to the same."""

import json
from datetime import timedelta

import msgspec
from builders import START, Story
from hypothesis import given
from hypothesis import strategies as st
from laws.histories import PEOPLE, histories
from laws.profiles import tried

from contracts_schema import commands as c
from contracts_schema import facts as f
from contracts_schema.money import DECIMALS, format_amount, from_wire, parse_amount, to_wire
from contracts_schema.plan import decode_plan, encode_plan
from services.reconciliation.log import read_entry
from services.reconciliation.policy import read_rules
from services.reconciliation.state import decode_state, encode_state
from services.reconciliation.view import snapshot
from services.runtime.outgoing import commands_of, decision_rows

pack, unpack = msgspec.msgpack.encode, msgspec.msgpack.decode


@tried(60)
@given(histories(replaces=True, openings=True))
def test_facts_plans_states_entries_commands_decisions_and_snapshots(records):
    story = Story(people=PEOPLE)
    for record in records:
        story.carry([record])
    story.clock(START + timedelta(days=60))
    for contract in story.contracts():
        raw = story.raw(contract)
        assert encode_state(decode_state(raw)) == raw
        for row in story.log(contract):
            entry = read_entry(row)
            assert pack(entry) == row.entry
            for fact in entry.facts:
                assert unpack(pack(fact), type=f.Fact) == fact
                assert msgspec.json.decode(msgspec.json.encode(fact), type=f.Fact) == fact
                if isinstance(fact.body, f.ContractRegistered):
                    assert encode_plan(decode_plan(fact.body.plan)) == fact.body.plan
            for command in commands_of(row, entry):
                assert msgspec.json.decode(msgspec.json.encode(command), type=c.Command) == command
            for said in decision_rows([(read_entry(row), row.head)], "t"):
                record = msgspec.json.decode(said.value, type=c.DecisionRecord)
                assert json.loads(msgspec.json.encode(record)) == json.loads(said.value)
        state = story.state(contract)
        for standing in story.standings(contract).values():
            shown = snapshot(state, standing)
            if shown is not None:
                encoded = msgspec.json.encode(shown)
                assert msgspec.json.encode(msgspec.json.decode(encoded, type=c.Snapshot)) == encoded
    assert read_rules(story.rules.rulebook.content) == story.rules


@tried(200)
@given(st.integers(-(10**14), 10**14), st.sampled_from(sorted(DECIMALS)))
def test_amounts(minor, currency):
    text = format_amount(minor, currency)
    assert parse_amount(text, currency) == minor
    assert len(text.partition(".")[2]) == DECIMALS[currency]
    assert from_wire(to_wire(minor, currency)) == (minor, currency)

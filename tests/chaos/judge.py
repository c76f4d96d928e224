"""Judges a running Milepost from outside: was anything lost, doubled, paid early, or said without proof?

    python tests/chaos/judge.py --dsn postgres://… --bootstrap host:port [--prefix SITE.] [--ledger FILE] [--json]

It reads the database, the topics and the finance system's ledger while everything is at rest, and shares no code with
Milepost: its own reader of the log, its own small model of the rules, the standard library and the two drivers. What
the model does not know is written at the top of judging/reasons.py and judging/amounts.py.

Ends with 0 where nothing was found, 1 with findings, 2 where it cannot judge.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter

import asyncpg
from aiokafka.errors import KafkaError
from judging.admitted import check_admitted
from judging.chain import check_chains, check_reviews, check_traces
from judging.claims import check_claims
from judging.commands import check_commands, check_decisions, check_repeats
from judging.evidence import Evidence, read_database, read_ledger, read_topics
from judging.finance import check_finance
from judging.gate import check_answers, check_paid_outside, check_refusals
from judging.inputs import check_collected, check_offsets, check_outcomes, check_quarantine, check_unread
from judging.replaying import check_decisions_again
from judging.waiting import check_waiting

CHECKS = (
    check_offsets, check_outcomes, check_waiting, check_quarantine, check_unread, check_admitted, check_chains,
    check_traces, check_commands, check_decisions, check_decisions_again, check_claims, check_finance, check_refusals,
    check_answers, check_paid_outside, check_collected, check_reviews, check_repeats,
)  # fmt: skip


def judge(evidence):
    """Every finding of every check."""
    return [finding for check in CHECKS for finding in check(evidence)]


async def gather(asked):
    """Read everything. The database comes first: what it promises must then stand in the topics."""
    evidence = Evidence()
    evidence.repeats = asked.repeats
    await read_database(evidence, asked.dsn)
    await read_topics(evidence, asked.bootstrap, asked.prefix)
    if asked.ledger:
        read_ledger(evidence, asked.ledger)
        evidence.ledger_of, evidence.keys_of = asked.finance, asked.keys
    return evidence


def census(evidence):
    """How much was looked at: a judge that saw nothing has proven nothing."""
    rows = [row for rows in evidence.log.values() for row in rows]
    said = [d.said for row in rows for d in row.entry.decisions if d.said]
    calls = [line for line in evidence.ledger if line["kind"] == "call"]
    return {
        "records": sum(evidence.offsets.values()), "contracts": len(evidence.log), "revisions": len(rows),
        "decisions": sum(len(row.entry.decisions) for row in rows), "commands": len(said),
        "releases": sum(one.action == "release" for one in said), "calls of finance": len(calls),
    }  # fmt: skip


def told(evidence, findings):
    """The verdict for people."""
    yield "looked at " + ", ".join(f"{n} {name}" for name, n in census(evidence).items())
    for found in findings:
        yield f"{found.invariant}: {found.contract}: expected {found.expected}; found {found.found}"
    counted = Counter(found.invariant for found in findings)
    yield ", ".join(f"{n} {name}" for name, n in counted.items()) if findings else "nothing lost, doubled or early"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dsn", required=True, help="the database, read-only")
    parser.add_argument("--bootstrap", required=True, help="a broker, host:port")
    parser.add_argument("--prefix", default="", help="what stands before the names of the output topics")
    parser.add_argument("--ledger", help="the finance system's own ledger, JSON lines")
    parser.add_argument("--finance", help="which finance system's ledger it is, where there are several")
    parser.add_argument("--keys", nargs="*", default=(), help="the sources under whose keys its invoices lie")
    parser.add_argument("--repeats", type=int, help="so many commands may stand twice: 0 where nobody died")
    parser.add_argument("--json", action="store_true", help="the findings as one JSON object")
    asked = parser.parse_args()
    try:
        evidence = asyncio.run(gather(asked))
        findings = judge(evidence)
    except (OSError, asyncpg.PostgresError, KafkaError, LookupError, ValueError) as fault:
        print(f"cannot judge: {type(fault).__name__}: {fault}", file=sys.stderr)
        return 2
    if asked.json:
        print(json.dumps({"looked at": census(evidence), "findings": [found._asdict() for found in findings]}))
    else:
        print("\n".join(told(evidence, findings)))
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())

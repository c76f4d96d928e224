"""The gate: offsets of the commands, what is wanted, what it did to invoices, its answers, and what it refused.

Offsets lie apart from the workers': their frontier of reading must not wait for the gate. Memories are opaque bytes.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = (
    """
    create table gate_offset (
        finance     text collate "C" not null,
        cluster     text collate "C" not null,
        topic       text collate "C" not null,
        partition   integer not null,
        next_offset bigint,
        owner       text not null,
        primary key (finance, cluster, topic, partition)
    ) with (fillfactor = 40)
    """,
    """
    create table gate_contract (
        finance  text collate "C" not null,
        contract text collate "C" not null,
        memory   bytea not null,
        primary key (finance, contract)
    ) with (fillfactor = 70)
    """,
    """
    create table gate_listing (
        finance   text collate "C" not null,
        subject   text collate "C" not null,
        contract  text collate "C" not null,
        milestone text collate "C" not null,
        primary key (finance, subject, contract, milestone)
    )
    """,
    "create index gate_listing_milestone on gate_listing (finance, contract, milestone)",
    # `generation` rises with every command that names the invoice: a look that began before it may free nothing.
    """
    create table gate_invoice (
        finance    text collate "C" not null,
        subject    text collate "C" not null,
        memory     bytea not null default '',
        generation bigint not null default 0,
        tries      integer not null default 0,
        due        timestamptz,
        finding    text not null default '',
        since      timestamptz not null default clock_timestamp(),
        primary key (finance, subject)
    ) with (fillfactor = 70)
    """,
    "create index gate_invoice_due on gate_invoice (finance, due) where due is not null",
    "create index gate_invoice_finding on gate_invoice (finance, since) where finding <> ''",
    """
    create table gate_answer (
        id      bigint primary key generated always as identity,
        finance text collate "C" not null,
        body    bytea not null
    )
    """,
    "create index gate_answer_finance on gate_answer (finance, id)",
    """
    create table gate_refusal (
        id         bigint primary key generated always as identity,
        finance    text not null,
        origin     text not null,
        command_id text not null,
        sentence   text not null,
        at         timestamptz not null default clock_timestamp(),
        unique (finance, origin)
    )
    """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)

"""Who may do what in the database: a role for each kind of process, with the rights that it needs and no more.

The roles cannot log in; whoever runs a process gives its login the role (`grant milepost_worker to alice`). What is
recorded may be changed by none of them: the log (`revision`, whose parts none may name), the bytes in quarantine, the
content of a rulebook, and what the gate refused. The owner of the tables is refused too, by triggers (migration 0007).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import asyncpg

from connectors.postgres_errors import answers

Rights = Mapping[str, str]  # by table

CONNECT_S = 10.0
SCHEMA: Rights = {"alembic_version": "select", "schema_floor": "select"}
RELAY: Rights = {
    **SCHEMA,
    "contract": "select",
    "lease": "select, insert, update",
    "outbox": "select, delete",
    "revision": "select",
}
WORKER: Rights = {
    **RELAY,  # it publishes in the same process
    "contract": "select, insert, update",
    "control_total": "select, insert, update",
    "crosswalk": "select, insert, delete",
    "invoice_claim": "select, insert, update, delete",
    "kafka_offset": "select, insert, update",
    "kept_records": "select, insert, update (next_offset, newest, records), delete",
    "outbox": "select, insert, delete",
    "parked": "select, insert, update, delete",
    "parked_key": "select, insert, delete",
    "person": "select, insert, delete",
    "quarantine": "select, insert, update (arrival, at, state, fault, sentence)",
    "revision": "select, insert",
    "rulebook": "select, insert, update (used)",
    "vendor_document": "select, insert, update, delete",
    "wake": "select, insert, delete",
}
GATE: Rights = {
    **SCHEMA,
    "contract": "select",
    "crosswalk": "select",
    "gate_answer": "select, insert, delete",
    "gate_contract": "select, insert, update",
    "gate_invoice": "select, insert, update",
    "gate_listing": "select, insert, delete",
    "gate_offset": "select, insert, update",
    "gate_refusal": "select, insert",
    "lease": "select, insert, update",
    "person": "select, insert",
    "revision": "select",
}
COLLECT: Rights = {
    **SCHEMA,
    "collect_place": "select, insert, update",
    "collect_standing": "select, insert, update",
    "collect_told": "select, insert, update, delete",
    "lease": "select, insert, update",
}
TABLES = sorted({*WORKER, *GATE, *COLLECT, "archived"})
ROLES: Mapping[str, Rights] = {
    "milepost_worker": WORKER,
    "milepost_relay": RELAY,
    "milepost_gate": GATE,
    "milepost_collect": COLLECT,
    "milepost_console": dict.fromkeys(TABLES, "select"),
    "milepost_migrate": {},
}
MIGRATE = "milepost_migrate"  # makes tables, and owns those that it has made

# Two databases of one server may be upgraded at once, and roles belong to the server.
CREATE = """do $$ begin create role {role} nologin;
exception when duplicate_object or unique_violation then null; end $$"""

PRESENT_ROLES = "select rolname::text from pg_roles where starts_with(rolname::text, 'milepost_')"
PRESENT_TABLES = "select tablename::text from pg_tables where schemaname = current_schema()"


def script(schema: str = "public") -> list[str]:
    """Everything a database administrator has to run, to be run as the owner of the tables; again, it does nothing."""
    return [*(CREATE.format(role=role) for role in ROLES), *grants(ROLES, TABLES, schema)]


def grants(roles: Iterable[str], tables: Collection[str], schema: str) -> Iterator[str]:
    """Exactly the rights of these roles on these tables, whatever they had before."""
    for role in sorted(ROLES.keys() & roles):
        yield f'revoke all on all tables in schema "{schema}" from {role}'
        yield f'grant usage{", create" if role == MIGRATE else ""} on schema "{schema}" to {role}'
        for table, rights in ROLES[role].items():
            if table in tables:
                yield f'grant {rights} on "{schema}".{table} to {role}'


async def apply(dsn: str) -> list[str]:
    """Make the roles that are missing and grant their rights; the roles that this user may not make.

    Raises:
        ConfigurationError: the tables are not this user's.
        TransientError: the server does not answer.
    """
    with answers():
        connection = await asyncpg.connect(dsn, timeout=CONNECT_S, statement_cache_size=0)
        try:
            async with connection.transaction():
                if await connection.fetchval(
                    "select rolsuper or rolcreaterole from pg_roles where rolname = current_user"
                ):
                    for role in ROLES:
                        await connection.execute(CREATE.format(role=role))
                present = [row[0] for row in await connection.fetch(PRESENT_ROLES)]
                tables = [row[0] for row in await connection.fetch(PRESENT_TABLES)]
                schema = await connection.fetchval("select current_schema()")
                for statement in grants(present, tables, schema):
                    await connection.execute(statement)
        finally:
            await connection.close()
    return [role for role in ROLES if role not in present]

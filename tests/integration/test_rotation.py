"""Passwords are exchanged while processes run: a new connection takes what the file holds then."""

import pytest
from servers.postgres import database_name

from connectors.postgres import PostgresSettings, PostgresStore
from contracts_schema.errors import ConfigurationError, TransientError
from services.settings import check
from services.wiring import doors

USER = "test_rotated"
CREATE = f"do $$ begin create role {USER} login; exception when duplicate_object then null; end $$"
ONLY_BY_PASSWORD = f"host all {USER} 127.0.0.1/32 scram-sha-256\n"


@pytest.fixture
def server(postgres_server):
    """The server, asking this one user for a password."""
    rules = postgres_server.sockets / "cluster" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(ONLY_BY_PASSWORD + before)
    postgres_server.sql(CREATE)
    postgres_server.sql("select pg_reload_conf()")
    yield postgres_server
    rules.write_text(before)
    postgres_server.sql("select pg_reload_conf()")


class Login:
    """The user's password on the server, and the file in which we are told of it."""

    def __init__(self, server, dsn, folder):
        self.server, self.file = server, folder / "dsn"
        self.dsn = f"postgresql://{USER}:{{}}@127.0.0.1:{server.port}/{database_name(dsn)}"

    def tell(self, password):
        self.file.write_text(self.dsn.format(password) + "\n")

    def exchange(self, password):
        """On the server; whoever is connected has to come again."""
        self.server.sql(f"alter role {USER} password '{password}'")
        self.server.sql(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{USER}'")

    def settings(self):
        register = {"dialect": "milepost", "role": "register", "topic": "contract.events"}
        wanted = check({"sources": {"register": register}, "postgres": {"dsn_file": str(self.file)}})
        return doors.postgres(wanted, "test", connections=1)


async def test_a_password_is_exchanged_without_a_restart(server, postgres_dsn, tmp_path):
    login = Login(server, postgres_dsn, tmp_path)
    login.exchange("first")
    login.tell("first")
    async with PostgresStore(login.settings()) as store:
        login.exchange("second")
        for _ in range(3):  # a transient error, as often as it is tried: the process lives on
            with pytest.raises(TransientError):
                await store.now()
        login.file.unlink()
        with pytest.raises(TransientError):
            await store.now()
        login.tell("second")
        assert await store.now() > 0


async def test_a_password_that_never_fitted_is_a_fault_of_the_set_up_and_not_told(server, postgres_dsn, tmp_path):
    login = Login(server, postgres_dsn, tmp_path)
    login.exchange("right")
    login.tell("hunter2")
    for settings in (login.settings(), PostgresSettings(dsn=login.dsn.format("hunter2"))):
        with pytest.raises(ConfigurationError, match="refuses the login") as refused:
            await PostgresStore(settings).open()
        assert "hunter2" not in str(refused.value)

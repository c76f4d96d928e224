"""The real servers that tests run against, each started when the first test asks for it.

A server that the machine cannot have leaves its tests out, and the summary says so; with CI=true that fails the run.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest
from servers import process
from servers.kafka import start_kafka
from servers.kafka_wire import is_apache_kafka
from servers.postgres import start_postgres
from servers.process import UnavailableError
from servers.redmine import start_redmine
from servers.tryton import start_tryton

# Which server stands behind a fixture. A test that asks for the fixture gets the server's marker by itself.
SERVER_OF = {
    "kafka": "kafka",
    "own_kafka": "kafka",
    "postgres_server": "postgres",
    "postgres_dsn": "postgres",
    "tryton": "tryton",
    "redmine": "redmine",
}
IN_CI = os.environ.get("CI") == "true"
LEFT_OUT = "left out: "

started: dict[str, Any] = {}


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    """A running broker (servers.kafka.Kafka). Tests make topics of their own."""
    yield from served("kafka", lambda: a_real_kafka(tmp_path_factory.mktemp("kafka")))


@pytest.fixture
def own_kafka(kafka):
    """The same broker for tests that kill or stop it, which only one of our own allows."""
    if not kafka.own:
        leave_out("kafka", UnavailableError(f"{kafka.origin}, is not ours to end", "unset MILEPOST_TEST_KAFKA"))
    return kafka


@pytest.fixture(scope="session")
def postgres_server():
    """A running cluster (servers.postgres.Postgres)."""
    yield from served("postgres", start_postgres)


@pytest.fixture
def postgres_dsn(postgres_server):
    """Address of a fresh, empty database, gone after the test."""
    dsn = postgres_server.create_database()
    yield dsn
    postgres_server.start()  # the test may have ended it
    postgres_server.drop_database(dsn)


@pytest.fixture(scope="session")
def tryton(tmp_path_factory):
    """A live ERP (servers.tryton.Tryton) on SQLite, freshly seeded; `reset()` seeds it afresh."""
    yield from served("tryton", lambda: start_tryton(tmp_path_factory.mktemp("tryton")))


@pytest.fixture(scope="session")
def redmine(tmp_path_factory):
    """A live project tool (servers.redmine.Redmine), freshly seeded."""
    yield from served("redmine", lambda: start_redmine(tmp_path_factory.mktemp("redmine")))


@pytest.fixture(autouse=True)
def servers_run_again(request, record_property):
    """Whatever a test did to a server, the next test finds it running."""
    yield
    for name in {SERVER_OF[fixture] for fixture in request.fixturenames if fixture in SERVER_OF} & started.keys():
        record_property("server", f"{name}: {started[name].origin}")
        if not started[name].running:
            started[name].start()


def served(name: str, start: Callable[[], Any]) -> Iterator[Any]:
    try:
        server = start()
    except UnavailableError as absent:
        leave_out(name, absent)
    started[name] = server
    try:
        yield server
    finally:
        del started[name]
        server.discard()


def leave_out(name: str, absent: UnavailableError) -> NoReturn:
    if IN_CI:
        pytest.fail(f"{LEFT_OUT}{name}: {absent}", pytrace=False)
    pytest.skip(f"{LEFT_OUT}{name}: {absent}")


def a_real_kafka(folder):
    broker = start_kafka(folder)
    if not is_apache_kafka(broker.bootstrap):
        if IN_CI:
            pytest.fail(f"{broker.origin} is not Apache Kafka")
        broker.origin += " (NOT Apache Kafka)"
    return broker


def pytest_configure(config):
    capture = config.pluginmanager.get_plugin("capturemanager")
    if capture:
        process.lift_capture = capture.global_and_fixture_disabled


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marker
def pytest_collection_modifyitems(items):
    for item in items:
        for fixture in SERVER_OF.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(SERVER_OF[fixture])


def pytest_terminal_summary(terminalreporter):
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    servers = {
        value for report in reports for name, value in getattr(report, "user_properties", ()) if name == "server"
    }
    left_out = Counter(why.partition(LEFT_OUT)[2] for why in skipped(terminalreporter) if LEFT_OUT in why)
    if servers or left_out:
        terminalreporter.section("servers")
    for server in sorted(servers):
        terminalreporter.write_line(server)
    for why, tests in left_out.items():
        terminalreporter.write_line(f"LEFT OUT, {tests} tests, {why}", yellow=True)


def pytest_sessionfinish(session):
    """In CI nothing may be left out, for whatever reason."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and reporter and skipped(reporter):
        reporter.write_line(f"\nCI=true: {len(skipped(reporter))} tests were left out, which fails the run", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def skipped(reporter) -> list[str]:
    return [str(report.longrepr[2]) for report in reporter.stats.get("skipped", []) if not hasattr(report, "wasxfail")]

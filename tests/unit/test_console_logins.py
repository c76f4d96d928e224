"""Who is let in, to what; and that nothing of it stands in a log."""

import pytest
from console_desk import TOKENS, Console, basic, bearer, with_logins

from contracts_schema.errors import ConfigurationError
from services.console.logins import PAUSE_S, token_faults
from services.settings import load
from services.wiring.access import CONSOLE, allowed
from services.wiring.console import logins_of

HOLD = {"contract": "C-1", "milestone": "M1", "hold": "h-1", "reason": "audit"}
OTHER = "another-token-that-is-long-enough-to-be-one"


@pytest.fixture
def config(registered, tmp_path):
    return with_logins(tmp_path, registered.config)


@pytest.fixture
def console(config):
    return Console(config)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (bearer("jane"), 200),
        (bearer("viewer"), 200),
        (bearer("", OTHER), 401),
        (bearer("", TOKENS["jane"][:-1]), 401),
        (basic("jane"), 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer \xe9"}, 401),
    ],
)
def test_the_api_takes_bearer_tokens_alone(console, headers, status):
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = console.ask("GET", "/api/v1/contracts", encoded)
    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (basic("jane"), 200),
        (basic("viewer"), 200),
        (basic("viewer", TOKENS["jane"]), 401),
        (basic("nobody", TOKENS["jane"]), 401),
        (basic("", TOKENS["jane"]), 401),
        (bearer("jane"), 401),
        ({"Authorization": "Basic !"}, 401),
    ],
)
def test_pages_take_a_name_with_its_own_token_alone(console, headers, status):
    answer = console.ask("GET", "/contracts", headers)
    assert answer.status_code == status
    assert answer.headers.get("www-authenticate", "Basic").startswith("Basic")


def test_who_may_only_look_does_nothing(console):
    assert console.post("/hold/place", HOLD, "viewer").status_code == 403
    assert console.send("/contracts/C-1/hold/place", {"hold": "h-1", "reason": "audit"}, "viewer").status_code == 403
    assert "<form" not in console.page("/contracts/C-1").text
    assert "<form" in console.page("/contracts/C-1", "jane").text


def test_a_failed_login_is_counted_and_slowed_and_a_first_visit_is_not(console):
    console.ask("GET", "/")
    assert console.paused == []
    console.ask("GET", "/", basic("jane", OTHER))
    console.ask("GET", "/api/v1/status", bearer("", OTHER))
    assert console.paused == [PAUSE_S, PAUSE_S]
    assert console.failed() == {"api": 1, "pages": 1}


def test_a_token_is_exchanged_while_it_runs(console, tmp_path):
    (tmp_path / "viewer").write_text(f"{TOKENS['viewer']}\n{OTHER}\n")
    assert console.get("/contracts").status_code == 200
    assert console.ask("GET", "/api/v1/contracts", bearer("", OTHER)).status_code == 200
    (tmp_path / "viewer").write_text(OTHER)
    assert console.get("/contracts").status_code == 401


def test_no_token_and_no_name_stands_in_the_log(console, tmp_path):
    (tmp_path / "jane").unlink()
    for headers in (bearer("jane"), bearer("viewer"), bearer("", OTHER), basic("jane"), basic("viewer", OTHER)):
        console.ask("GET", "/api/v1/contracts/C-9", headers)
        console.ask("GET", "/contracts/C-9", headers)
    log = console.log.getvalue()
    assert "a token cannot be read" in log
    assert not [secret for secret in (*TOKENS.values(), *TOKENS, OTHER) if secret in log]


def test_without_logins_this_machine_looks_and_does_nothing(registered):
    console = Console(registered.config)
    assert console.ask("GET", "/contracts").status_code == 200
    assert console.ask("GET", "/api/v1/contracts").status_code == 200
    assert console.ask("POST", "/api/v1/hold/place", json=HOLD).status_code == 403
    assert console.ask("GET", "/", {"Host": "evil.example"}).status_code == 403
    assert console.ask("GET", "/", {"Host": "[::1]:8090"}).status_code == 200


# What the configuration may say


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("console: {host: 0.0.0.0}", "name some under console.logins, or take 127.0.0.1"),
        ("console: {logins: {jane: {token_file: t, may: []}}}", "console.logins.jane.may"),
        ("console: {logins: {jane: {token_file: t, may: [pay]}}}", "console.logins.jane.may.0"),
        ("console: {logins: {'a:b': {token_file: t, may: [look]}}}", "no name to log in with"),
        ("console: {source: erp}", "console.source: 'erp' is no source of role operator; use one of office"),
    ],
)
def test_a_console_that_is_not_fit_is_named_with_the_remedy(registered, said, fault):
    registered.config.write_text(registered.config.read_text() + said)
    with pytest.raises(ConfigurationError) as raised:
        load(registered.config)
    assert any(fault in told for told in raised.value.faults), raised.value.faults
    assert fault in registered("config", "check", code=2)


def test_who_acts_needs_one_source_to_speak_as_and_the_right_to_write_its_topic(config, registered):
    two = registered.config.read_text().replace(
        "console:", "  desk: {dialect: milepost, role: operator, topic: d}\nconsole:"
    )
    assert writes(load(config)) == {"operator.events"}
    config.write_text(two)
    with pytest.raises(ConfigurationError, match=r"console.source is missing.* One of office, desk"):
        load(config)
    config.write_text(two.replace("console:", "console:\n  source: desk"))
    assert writes(load(config)) == {"d"}
    config.write_text(two.replace("[look, act]", "[look]"))
    assert writes(load(config)) == set()


def writes(settings):
    """Topics that the console's principal may write."""
    return {a.name for a in allowed(settings) if a.principal == CONSOLE and a.operation == "Write"}


def test_tokens_that_are_short_missing_or_another_ones_are_named(config, registered, tmp_path):
    (tmp_path / "jane").write_text("short")
    assert "console.logins.jane.token_file" in registered("config", "check", code=2)
    [fault] = token_faults(logins_of(load(config)))
    assert fault.startswith("console.logins.jane.token_file")
    (tmp_path / "jane").write_text(TOKENS["viewer"])
    [fault] = token_faults(logins_of(load(config)))
    assert fault == "console.logins.viewer: its token is that of jane, too; make one for each"
    (tmp_path / "jane").unlink()
    [fault] = token_faults(logins_of(load(config)))
    assert "cannot be read" in fault

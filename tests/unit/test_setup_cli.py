"""The command line for setting up: the configuration is checked, rights are printed, help reads."""

import subprocess
import sys

import pytest
from desk import CONFIG


def test_config_check_lists_every_fault_at_once(desk):
    sources = "{a: {dialect: milepost, topic: t, colour: red}, b: {dialect: ubl}, c: {dialect: milepost, topic: u}}"
    desk.config.write_text(f"sources: {sources}\nkafka: {{port: 1, replication: 0}}\npeople: {{a: [x], b: [x]}}\n")
    told = desk("config", "check", code=2)
    assert "sources.a.colour" in told
    assert "sources.b.topic" in told
    assert "kafka.port" in told
    assert "kafka.replication: 0" in told
    assert "sources.c.role: dialect milepost must say it" in told
    assert "'x' stands for two persons" in told


def test_config_check_names_files_that_cannot_be_read(desk):
    desk.config.write_text(CONFIG + "postgres: {dsn_file: /nowhere/dsn}\n")
    assert "postgres.dsn_file: /nowhere/dsn cannot be read" in desk("config", "check", code=2)


def test_the_effective_configuration_hides_secrets(desk, monkeypatch):
    monkeypatch.setenv("MILEPOST__POSTGRES__DSN", "postgresql://milepost:hunter2@db/milepost")
    monkeypatch.setenv("MILEPOST__SOURCES__PM__COLLECT__URL", "https://u:hunter2@tool")
    collect = "collect: {token_file: milepost.yaml}"
    desk.config.write_text(CONFIG.replace("topic: project.events", f"topic: project.events, {collect}"))
    monkeypatch.chdir(desk.folder)
    told = desk("config", "check", "--show") + desk("config", "check", "--show", "--json")
    assert "hunter2" not in told
    assert "(hidden)" in told


@pytest.mark.parametrize("missing", ["no.yaml", "."])
def test_a_configuration_that_is_not_there_ends_with_2(desk, missing):
    assert "cannot be read" in desk.run("status", "--config", desk.folder / missing, code=2)


def test_help_of_every_command_reads(desk):
    for words in ([], ["contract"], ["quarantine"], ["sign"], ["hold", "place"], ["explain"], ["status"]):
        assert "Usage: " in desk.run(*words, "--help")


def test_who_may_do_what_is_printed_without_a_connection(desk):
    told = desk("db", "roles")
    assert 'grant select, insert on "public".revision to milepost_worker;' in told
    assert "milepost_console" in told
    assert all(line.startswith("kafka-acls.sh ") for line in desk("topics", "acl").splitlines())
    writers = {
        one["principal"]
        for one in desk.json("topics", "acl")
        if (one["name"], one["operation"]) == ("finance.commands", "Write")
    }
    assert writers == {"milepost-worker"}


def test_a_story_that_cannot_be_written_ends_with_2(desk):
    desk.write("file", "")
    assert "cannot be written: " in desk.run("demo", "--write", desk.folder / "file" / "story", code=2)


def test_a_broker_that_does_not_answer_is_one_sentence_on_standard_error(desk):
    desk.config.write_text(CONFIG + "kafka: {bootstrap_servers: '127.0.0.1:1'}\n")
    command = [sys.executable, "-m", "services.cli", "topics", "plan", "--config", str(desk.config)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "milepost: kafka: cannot administer the cluster at 127.0.0.1:1: no broker answers; "
        "see kafka.bootstrap_servers and kafka.security_protocol\n"
    )

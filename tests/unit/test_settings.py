"""The configuration: every fault is named at once, with its remedy."""

import pytest

from contracts_schema.errors import ConfigurationError
from services.settings import check, load

REGISTER = {"dialect": "milepost", "role": "register", "topic": "contract.events"}


def faults(**content):
    with pytest.raises(ConfigurationError) as refused:
        check({"sources": {"register": REGISTER}} | content)
    return list(refused.value.faults)


def test_no_source_bears_the_name_under_which_milepost_says_facts():
    assert faults(sources={"milepost": {**REGISTER, "role": "erp"}}) == [
        "sources: 'milepost' is the name under which Milepost itself says facts; name yours otherwise"
    ]


def test_register_operator_and_finance_share_a_topic_with_no_other_role():
    office = {"dialect": "milepost", "role": "erp", "topic": "contract.events"}
    [fault] = faults(sources={"register": REGISTER, "erp": office})
    assert "share topic contract.events" in fault


def test_every_fault_is_named_at_once():
    found = faults(sources={"a": {"dialect": "milepost", "topic": "t"}}, people={"jane": ["x:1"], "joe": ["x:1"]})
    assert len(found) == 2
    assert "sources.a.role" in found[0]
    assert "'x:1' stands for two persons" in found[1]


def test_what_single_fields_cannot_show_is_named_beside_a_source_of_a_dialect_that_is_none():
    sources = {"a": {"dialect": "milepost", "topic": "t"}, "b": {"dialect": "sap", "topic": "u"}, "c": {"dialekt": "x"}}
    found = faults(sources=sources, people={"jane": ["x:1"], "joe": ["x:1"]})
    for named in ("sources.b.dialect: 'sap'", "sources.c.dialect is missing", "sources.a.role", "two persons"):
        assert any(named in fault for fault in found)


def test_a_name_that_is_none_is_told_with_the_one_that_is_near_it_in_that_part():
    assert faults(
        kafka={"bootstrap_server": "b:9092", "batch": 5},
        sources={"register": REGISTER, "pm": {"dialect": "redmine", "topic": "pm", "timezon": "UTC",
                                              "collect": {"url": "https://r", "token_file": "/t", "evry": "3s"}}},
    ) == [
        "kafka.bootstrap_server: no such setting; bootstrap_servers is near it",
        "kafka.batch: no such setting",
        "sources.pm.collect.evry: no such setting; every is near it",
        "sources.pm.timezon: no such setting; timezone is near it",
    ]  # fmt: skip


def test_contracts_that_name_no_finance_system_have_the_only_one():
    def only(finance=(), **sources):
        spoken = {name: {"dialect": "milepost", "role": role, "topic": name} for name, role in sources.items()}
        acted = {name: {"dialect": "tryton", "url": "https://t", "token_file": "t"} for name in finance}
        return check({"sources": spoken, "finance": acted}).rules().finance

    assert only(["ap"], office="operator", bank="finance") == "ap"
    assert only(bank="finance", office="operator") == "bank"
    assert (
        only(["ap", "us"], office="operator")
        is only(bank="finance", other="finance")
        is only(office="operator")
        is None
    )


# Secrets and the broker's security

LOGIN = {"security_protocol": "SASL_SSL", "username": "milepost", "password_file": "/run/secrets/kafka"}


@pytest.mark.parametrize(
    ("kafka", "sentence"),
    [
        (LOGIN | {"security_protocol": "PLAINTEXT"}, "username and password with PLAINTEXT"),
        (LOGIN | {"security_protocol": "SSL"}, "username and password with SSL"),
        (LOGIN | {"security_protocol": "SASL_PLAINTEXT"}, "Input should be 'PLAINTEXT', 'SSL' or 'SASL_SSL'"),
        (LOGIN | {"username": None}, "SASL_SSL needs a username"),
        (LOGIN | {"password_file": None}, "SASL_SSL needs a password"),
        (LOGIN | {"password": "hunter2"}, "not from both"),
        (LOGIN | {"certfile": "/run/secrets/cert"}, "certfile and keyfile go together"),
        ({"cafile": "/run/secrets/ca"}, "certificates with PLAINTEXT"),
    ],
)
def test_a_broker_is_reached_safely_or_openly_and_nothing_between(kafka, sentence):
    [fault] = faults(kafka=kafka)
    assert fault.startswith("kafka")
    assert sentence in fault
    assert "hunter2" not in fault


@pytest.mark.parametrize("kafka", [LOGIN, {"security_protocol": "SSL", "certfile": "/c", "keyfile": "/k"}, {}])
def test_a_password_over_tls_and_mutual_tls_are_ways_to_reach_a_broker(kafka):
    assert check({"sources": {"register": REGISTER}, "kafka": kafka}).kafka.replication == 3


WITH_SECRETS = """
sources:
  register: {dialect: milepost, role: register, topic: contract.events}
  pm: {dialect: redmine, topic: pm, collect: {url: "https://u:hunter2@pm.example", token_file: /k}}
kafka: {security_protocol: SASL_SSL, username: milepost, password: hunter2}
postgres: {dsn: "postgresql://milepost:hunter2@db/milepost"}
finance: {ap-eu: {dialect: http, url: "https://ap.example?password=hunter2"}}
"""


def test_a_secret_in_the_file_itself_is_refused_with_where_it_belongs_and_never_told(tmp_path):
    config = tmp_path / "milepost.yaml"
    config.write_text(WITH_SECRETS)
    with pytest.raises(ConfigurationError) as refused:
        load(config, {})
    found = list(refused.value.faults)
    assert [fault.partition(":")[0] for fault in found] == [
        "sources.pm.collect.url", "kafka.password", "postgres.dsn", "finance.ap-eu.url",
    ]  # fmt: skip
    assert "kafka.password_file names, or MILEPOST__KAFKA__PASSWORD" in found[1]
    assert "hunter2" not in str(found)


def test_a_secret_of_the_environment_counts_letter_by_letter(tmp_path):
    config = tmp_path / "milepost.yaml"
    config.write_text("sources: {register: {dialect: milepost, role: register, topic: contract.events}}")
    known = {"MILEPOST__KAFKA__SECURITY_PROTOCOL": "SASL_SSL", "MILEPOST__KAFKA__USERNAME": "milepost",
             "MILEPOST__KAFKA__PASSWORD": "0123", "MILEPOST__POSTGRES__DSN": "postgresql://m:a: #b@db/m"}  # fmt: skip
    settings = load(config, known)
    assert settings.kafka.password.get_secret_value() == "0123"
    assert settings.dsn() == "postgresql://m:a: #b@db/m"
    assert "0123" not in repr(settings)


def test_a_file_that_is_no_yaml_is_refused_without_being_quoted(tmp_path):
    config = tmp_path / "milepost.yaml"
    config.write_text('kafka: {password: "hunter2", ]')
    with pytest.raises(ConfigurationError, match="line 1, column 30") as refused:
        load(config, {})
    assert "hunter2" not in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    config = tmp_path / "milepost.yaml"
    config.write_bytes("sources: {} # Größe".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"milepost\.yaml is no UTF-8 text: byte 17"):
        load(config, {})


def test_a_value_of_the_environment_that_is_no_yaml_is_refused_without_being_quoted(tmp_path):
    config = tmp_path / "milepost.yaml"
    config.write_text("sources: {}")
    with pytest.raises(ConfigurationError, match="MILEPOST__PEOPLE in the environment is no YAML") as refused:
        load(config, {"MILEPOST__PEOPLE": "{jane: ["})
    assert "jane" not in str(refused.value)


def test_a_key_that_is_a_number_is_a_fault_beside_a_value_of_the_environment(tmp_path):
    config = tmp_path / "milepost.yaml"
    config.write_text("kafka: {1: 2}\nsources: {register: {dialect: milepost, role: register, topic: t}}")
    with pytest.raises(ConfigurationError, match=r"kafka\.1"):
        load(config, {"MILEPOST__KAFKA__GROUP": "x"})

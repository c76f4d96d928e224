"""The API says what the commands say, does what they do, and both as its OpenAPI document promises."""

import hashlib
import json
from base64 import b64decode

import jsonschema
import pytest
from console_desk import DOCUMENT, Console, fits, with_logins
from desk import met, say

from contracts_schema.errors import ConfigurationError, TransientError
from services.console.acts import ACTS, path_of
from services.console.api import QUESTIONS

HOLD = {"contract": "C-1", "milestone": "M1", "hold": "h-1", "reason": "audit"}
SAME = {
    "/contracts": ("contract", "list"),
    "/contracts/{contract}": ("contract", "show", "C-1"),
    "/contracts/{contract}/explanation": ("explain", "C-1"),
    "/contracts/{contract}/milestones/{milestone}/explanation": ("explain", "C-1/M1"),
    "/conflicts": ("conflicts",),
    "/parked": ("parked",),
    "/quarantine": ("quarantine", "list"),
}


@pytest.fixture
def console(registered, tmp_path):
    return Console(with_logins(tmp_path, registered.config))


@pytest.fixture
def lively(registered):
    """Something of everything: systems that differ, a fact that waits, a record that could not be read."""
    met(registered)
    say(registered, "erp", "milestone.assessed", {"contract": "C-1", "milestone": "M2", "status": "notMet"}, "not-2")
    met(registered, "M2", "met-2")
    say(registered, "pm", "milestone.assessed", {"contract": "C-9", "milestone": "M1", "status": "met"}, "met-9")
    say(registered, "erp", "goods.received", {"contract": "C-1", "milestone": "M1"}, "bad-1")
    return registered


def path(template):
    return template.replace("{contract}", "C-1").replace("{milestone}", "M1")


@pytest.mark.parametrize("template", SAME)
def test_it_answers_what_the_command_prints(lively, console, template):
    answer = fits(console.get(path(template)), template)
    assert answer
    assert answer == lively.json(*SAME[template])


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
def test_every_answer_is_as_the_document_promises(lively, console, question):
    record = console.get("/quarantine").json()[0]["id"]
    template = question.path.replace(":path}", "}")
    answer = console.get(path(template).replace("{record}", record))
    assert answer.status_code == 200, answer.text
    assert fits(answer, template)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_quarantined_record_is_shown_without_its_value(lively, console):
    [line] = console.get("/quarantine").json()
    found = console.get(f"/quarantine/{line['id']}").json()
    assert (found["value"], found["value_base64"]) == (None, None)
    assert found == lively.json("quarantine", "show", line["id"])


def test_what_is_held_is_told_with_the_worst_first(lively, console):
    held = console.get("/holds").json()
    assert [(line["milestone"], line["held"]["amount"]) for line in held] == [("M1", "118500.00"), ("M2", "1500.00")]
    assert [reason["code"] for reason in held[0]["reasons"]] == ["SOURCE_UNREADABLE", "SIGN_OFF_MISSING"]
    assert all(reason["clears_when"] for line in held for reason in line["reasons"])


def test_lists_are_read_part_by_part(registered, console):
    for n in range(2, 6):
        registered("contract", "apply", registered.plan(f"C-{n}"))
    for listed in ("/contracts", "/holds", "/conflicts"):
        found, following = [], f"/api/v1{listed}?limit=2"
        while following:
            answer = console.get(following.removeprefix("/api/v1"))
            found += answer.json()
            following = answer.links.get("next", {}).get("url")
        names = {line["contract"] for line in found}
        assert names == (set() if listed == "/conflicts" else {f"C-{n}" for n in range(1, 6)})


def test_an_auditor_follows_the_chain_part_by_part(lively, console):
    rows, following = [], "/api/v1/contracts/C-1/log?limit=1"
    while following:
        answer = console.get(following.removeprefix("/api/v1"))
        rows += answer.json()
        following = answer.links.get("next", {}).get("url")
    head = bytes(32)
    for row in rows:
        assert bytes.fromhex(row["previous"]) == head
        head = hashlib.sha256(head + b64decode(row["raw"])).digest()
        assert row["head"] == head.hex()
    assert head.hex() == console.get("/contracts/C-1").json()["chain_head"]


def test_a_hold_is_placed_and_lifted_under_the_name_of_the_login(registered, console):
    placed = fits(console.post("/hold/place", HOLD), "/hold/place", "post")
    assert placed["outcome"] == "applied"
    assert dict(registered.sent[-1].headers)["ce_source"] == b"milepost/console"
    [account] = registered.json("explain", "C-1/M1")
    assert account["reasons"][0]["code"] == "MANUAL_HOLD"
    assert "jane" in account["reasons"][0]["detail"]
    assert fits(console.post("/hold/lift", HOLD), "/hold/lift", "post")["outcome"] == "applied"
    assert "MANUAL_HOLD" not in registered("explain", "C-1/M1")


@pytest.mark.parametrize(
    ("path", "more", "outcome"),
    [
        ("/dispute/open", {"dispute": "d-1", "reason": "dents", "amount": "100.00"}, "applied"),
        ("/dispute/resolve", {"dispute": "d-1", "reason": "mended"}, "applied"),
        ("/sign", {"role": "site-manager", "evidence": {"fat": "0" * 64}}, "applied"),
        ("/evidence/attach", {"name": "fat", "sha256": "0" * 64}, "applied"),
        ("/waive", {"code": "SIGN_OFF_MISSING", "approved_by": "mary", "ticket": "T-1"}, "applied"),
        ("/waive", {"code": "SIGN_OFF_MISSING", "approved_by": "jane", "ticket": "T-1"}, "refused"),
    ],
)
def test_what_persons_do_has_the_verdict_of_the_command(console, path, more, outcome):
    answer = console.post(path, {"contract": "C-1", "milestone": "M1"} | more)
    assert fits(answer, path, "post")["outcome"] == outcome
    assert answer.status_code == (200 if outcome == "applied" else 409)


def test_the_same_event_again_is_a_repeat(registered, console):
    said = HOLD | {"event": "e-1"}
    assert [console.post("/hold/place", said).json()["outcome"] for _ in range(2)] == ["applied", "duplicate"]


def test_what_is_still_open_is_told_as_such(registered, console):
    answer = console.post("/hold/place", HOLD | {"contract": "C-9"})
    assert (answer.status_code, answer.json()["outcome"]) == (202, "parked")


@pytest.mark.parametrize(
    ("content", "field", "remedy"),
    [
        (HOLD | {"by": "mary"}, "by", "leave it out: it is whose login this is"),
        (HOLD | {"force": True}, "force", "leave it out"),
        (HOLD | {"reason": 7}, "reason", "see /api/v1/openapi.json for what fits"),
        (HOLD | {"hold": ""}, "hold", "see /api/v1/openapi.json for what fits"),
        ({"contract": "C-1"}, "", "see /api/v1/openapi.json for what fits"),
        ([], "", "see /api/v1/openapi.json for what fits"),
    ],
)
def test_a_body_that_does_not_fit_names_field_value_and_remedy(registered, console, content, field, remedy):
    sent = len(registered.sent)
    answer = console.post("/hold/place", content)
    problem = fits(answer, "/hold/place", "post")
    assert answer.status_code == problem["status"] == 422
    assert (problem.get("field", ""), problem["remedy"]) == (field, remedy)
    if field:
        assert problem["value"] == str(content[field])
    assert len(registered.sent) == sent


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("GET", "/contracts/C-9", {}, 404),
        ("GET", "/contracts/C-1/milestones/M9/explanation", {}, 404),
        ("GET", "/quarantine/nothing", {}, 404),
        ("GET", "/contracts/C-9/log", {}, 404),
        ("GET", "/drift?contract=C-9", {}, 404),
        ("GET", "/contracts/%00", {}, 404),
        ("GET", "/contracts?limit=0", {}, 400),
        ("GET", "/contracts?limit=501", {}, 400),
        ("GET", "/contracts?limit=many", {}, 400),
        ("GET", "/contracts?after=%00", {}, 400),
        ("GET", "/contracts/C-1/log?after=-1", {}, 400),
        ("GET", "/nothing", {}, 404),
        ("POST", "/contracts", {}, 405),
        ("POST", "/hold/place", {"data": HOLD}, 415),
        ("POST", "/hold/place", {"content": b"{", "kind": "application/json"}, 400),
        ("POST", "/hold/place", {"content": b'{"a": "\xff"}', "kind": "application/json"}, 400),
        ("POST", "/hold/place", {"content": b"[" * 60_000, "kind": "application/json"}, 400),
        ("POST", "/hold/place", {"content": b" " * 70_000, "kind": "application/json"}, 413),
    ],
)
def test_what_is_not_answered_is_a_problem_with_a_remedy(console, method, path, more, status):
    headers = {"Content-Type": more.pop("kind")} if "kind" in more else {}
    token = {"Authorization": "Bearer t-jane-0123456789abcdef0123456789abcdef"}
    answer = console.ask(method, f"/api/v1{path}", token | headers, **more)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    schema = DOCUMENT["components"]["schemas"]["Problem"]
    jsonschema.Draft202012Validator(schema).validate(answer.json())
    assert answer.json()["remedy"]


def test_an_id_with_a_slash_is_found(registered, console):
    registered("contract", "apply", registered.plan("C/1"))
    assert console.get("/contracts/C%2F1").json()["contract"] == "C/1"
    assert console.get("/contracts/C%2F1/milestones/M1/explanation").json()[0]["contract"] == "C/1"


class Broken:
    """A desk at which every question fails."""

    def __init__(self, error):
        self.error = error

    async def status(self):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (TransientError("postgres: secret-host is away"), 503, ""),
        (ConfigurationError(["dsn_file: cannot be read"]), 500, "dsn_file"),
        (RuntimeError("somebody's name"), 500, "RuntimeError"),
    ],
)
def test_what_fails_inside_is_told_to_the_log_and_not_to_the_asker(registered, tmp_path, error, status, told):
    console = Console(with_logins(tmp_path, registered.config), Broken(error))
    answer = console.get("/status")
    assert answer.status_code == status
    assert fits(answer, "/status")["remedy"]
    assert told in console.log.getvalue()
    for text in ("secret-host", "somebody's name"):
        assert text not in answer.text + console.log.getvalue()


# The document


def test_the_document_holds_whatever_it_refers_to_and_every_schema_is_one():
    for reference in json.dumps(DOCUMENT).split('"#/')[1:]:
        at = DOCUMENT
        for step in reference.partition('"')[0].split("/"):
            at = at[step]
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_document_describes_every_path_once(console):
    assert DOCUMENT["openapi"] == "3.1.0"
    assert len(DOCUMENT["paths"]) == len(QUESTIONS) + len(ACTS)
    assert {path_of(act) for act in ACTS} <= DOCUMENT["paths"].keys()
    names = [operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))
    assert console.get("/openapi.json").json() == DOCUMENT
    assert all("by" not in DOCUMENT["components"]["schemas"][act.__name__]["properties"] for act in ACTS)

"""Pages show what the API says, escaped, to be read without a script; forms are taken from our own pages alone."""

import html
import re

import pytest
from console_desk import ORIGIN, Console, with_logins
from desk import CONFIG, met, say

from contracts_schema.errors import TransientError

HOSTILE = "<script>alert('x')</script>\"&{{ 7 * 7 }}"
FORM = {"milestone": "M1", "hold": "h-1", "reason": "audit", "event": "e-1"}
PATHS = ("/", "/contracts", "/contracts/C-1", "/contracts/C-1/history", "/conflicts", "/sync", "/quarantine", "/parked",
         "/drift")  # fmt: skip


@pytest.fixture
def console(registered, tmp_path):
    return Console(with_logins(tmp_path, registered.config))


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_its_landmarks_headings_and_no_script(registered, console, path):
    met(registered)
    say(registered, "erp", "goods.received", {"contract": "C-1", "milestone": "M1"}, "bad-1")
    text = console.page(path, "jane").text
    assert all(
        text.count(f"<{part}") == 1 for part in ("!doctype html", "html lang", "main", "h1", 'nav aria-label="Pages"')
    )
    assert "<script" not in text
    assert "style=" not in text
    assert all('scope="' in cell for cell in re.findall(r"<th[ >][^>]*", text))
    assert re.findall(r"<input (?!type=\"hidden\")", text) == re.findall(r"(?<=\w )<input (?!type)", text)


def test_what_is_held_stands_first_with_why(registered, console):
    met(registered)
    text = console.page("/").text
    assert text.index("118500.00") < text.index("1500.00</td>")
    assert "SIGN_OFF_MISSING" in text
    assert 'href="/contracts/C-1#M1"' in text


def test_a_contract_shows_each_milestone_with_what_clears_each_reason(registered, console):
    say(registered, "erp", "milestone.assessed", {"contract": "C-1", "milestone": "M1", "status": "notMet"}, "not-1")
    met(registered)
    text = html.unescape(console.page("/contracts/C-1").text)
    for account in registered.json("explain", "C-1"):
        assert f'id="{account["milestone"]}"' in text
        for reason in account["reasons"]:
            assert reason["code"] in text
            assert reason["detail"] in text
            assert reason["owner"] in text
    assert "Systems differ on completion: pm: " in text
    assert "EUR 1500.00 is released once NOT_MET cleared" in text


def test_names_of_others_are_text_and_nothing_else(registered, console):
    plan = registered.plan().read_text().replace("C-1", f"'{HOSTILE.replace(chr(39), chr(39) * 2)}'")
    plan = plan.replace("Turbine hall", f"'{HOSTILE.replace(chr(39), chr(39) * 2)}'")
    plan = plan.replace("Site acceptance", f"'{HOSTILE.replace(chr(39), chr(39) * 2)}'")
    registered("contract", "apply", registered.write("hostile.yaml", plan))
    say(registered, "pm", "milestone.assessed", {"contract": HOSTILE, "milestone": HOSTILE, "status": "met"}, HOSTILE)
    say(registered, "erp", "goods.received", {"contract": HOSTILE, "milestone": HOSTILE, "unit": HOSTILE}, "bad-1")
    listed = console.page("/contracts").text
    [link] = [path for path in re.findall(r'href="([^"]+)"', listed) if "script" in path]
    [record] = re.findall(r'href="(/quarantine/[^"]+)"', console.page("/quarantine").text)
    for path in (*PATHS, link, f"{link}/history", record, f"/contracts/{link.rpartition('/')[2]}x"):
        page = console.page(html.unescape(path), "jane")
        assert "<script" not in page.text, path
        assert "alert('x')" not in page.text, path
        assert "49" not in re.findall(r"&amp;(\S+)", page.text)
    assert html.escape(HOSTILE, quote=False).split("'")[0] in console.page(link).text


def test_a_hold_is_placed_and_lifted_by_a_form(registered, console):
    placed = console.send("/contracts/C-1/hold/place", FORM)
    assert (placed.status_code, "applied" in placed.text) == (200, True)
    assert registered.json("explain", "C-1/M1")[0]["reasons"][0]["code"] == "MANUAL_HOLD"
    again = console.send("/contracts/C-1/hold/place", FORM)
    assert "duplicate" in again.text
    console.send("/contracts/C-1/hold/lift", FORM | {"event": "e-2"})
    assert "MANUAL_HOLD" not in registered("explain", "C-1/M1")


def test_a_hold_of_all_of_a_contract_leaves_the_milestone_empty(registered, console):
    assert console.send("/contracts/C-1/hold/place", FORM | {"milestone": ""}).status_code == 200
    assert all(a["reasons"][0]["code"] == "MANUAL_HOLD" for a in registered.json("explain", "C-1"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": ORIGIN}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"X-Nothing": "of it"}, 403),
    ],
)
def test_a_form_counts_only_from_our_own_pages(registered, console, headers, status):
    sent = len(registered.sent)
    assert console.send("/contracts/C-1/hold/place", FORM, **headers).status_code == status
    assert len(registered.sent) == sent + (status == 200)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"hold": "h-1"}, 422),
        (FORM | {"by": "mary"}, 422),
        ({f"f{n}": "x" for n in range(30)}, 400),
        (FORM | {"reason": "x" * 70_000}, 413),
        (FORM | {"milestone": "M9"}, 202),
    ],
)
def test_a_form_that_does_not_fit_is_told_on_a_page(console, fields, status):
    answer = console.send("/contracts/C-1/hold/place", fields)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>" in answer.text


def test_the_next_part_is_a_link(registered, console):
    registered("contract", "apply", registered.plan("C-2"))
    first = console.page("/contracts?limit=1").text
    assert 'rel="next" href="?after=C-1&amp;limit=1"' in first
    assert "C-2" in console.page("/contracts?after=C-1&limit=1").text


def test_a_pseudonym_is_shown_as_the_person_where_they_are_known(desk, tmp_path):
    (tmp_path / "key").write_text("k" * 40)
    desk.config.write_text(f"{CONFIG}pseudonyms: {{key_file: {tmp_path}/key}}\n")
    console = Console(with_logins(tmp_path, desk.config))
    desk("contract", "apply", desk.plan())
    console.send("/contracts/C-1/hold/place", FORM)
    assert "jane" in console.page("/contracts/C-1").text
    assert "jane" not in console.get("/contracts/C-1/explanation").text


class Away:
    """A desk whose store does not answer."""

    async def holds(self, after, limit):
        raise TransientError("postgres: secret-host is away")


def test_what_is_away_is_told_on_a_page(registered, tmp_path):
    answer = Console(with_logins(tmp_path, registered.config), Away()).page("/")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "secret-host" not in answer.text
    assert "ask again" in answer.text


def test_the_style_is_ours_and_needs_no_login(console):
    answer = console.ask("GET", "/style.css")
    assert answer.headers["content-type"].startswith("text/css")
    assert "prefers-color-scheme: dark" in answer.text

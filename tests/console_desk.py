"""The console on a store in memory: requests are answered, and what is sent is carried at once, as a worker would."""

import asyncio
import base64
import io

import httpx
import jsonschema

from connectors.telemetry import Telemetry
from services.console.application import application
from services.console.logins import Door
from services.settings import load
from services.wiring.console import ConsoleDesk, logins_of, openapi

TOKENS = {"jane": "t-jane-0123456789abcdef0123456789abcdef", "viewer": "t-viewer-0123456789abcdef0123456789ab"}
ORIGIN = "http://127.0.0.1:8090"
LOGINS = """
console:
  logins:
    jane: {{token_file: {folder}/jane, may: [look, act]}}
    viewer: {{token_file: {folder}/viewer, may: [look]}}
"""
DOCUMENT = openapi()


class Console:
    """The application of a configuration, its log, and ways to ask it. `paused` are the pauses that it made."""

    def __init__(self, config, desk=None):
        settings = load(config)
        self.log, self.paused = io.StringIO(), []
        self.telemetry = Telemetry(self.log)
        door = Door(logins_of(settings), self.telemetry, self._pause)
        self.app = application(desk or ConsoleDesk(settings), door, self.telemetry, DOCUMENT)

    async def _pause(self, seconds):
        self.paused.append(seconds)

    def ask(self, method, path, headers=None, **more):
        """The answer, whatever it is."""

        async def asked():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(asked())

    def get(self, path, name="viewer"):
        """What the API answers to somebody who may look."""
        return self.ask("GET", f"/api/v1{path}", bearer(name))

    def post(self, path, content, name="jane"):
        """What the API answers to somebody who does something."""
        return self.ask("POST", f"/api/v1{path}", bearer(name), json=content)

    def page(self, path, name="viewer"):
        """A page, for somebody who logs in at a browser."""
        return self.ask("GET", path, basic(name))

    def send(self, path, fields, name="jane", **headers):
        """A form of a page."""
        return self.ask("POST", path, basic(name) | (headers or {"Origin": ORIGIN}), data=fields)

    def failed(self):
        """How many logins failed, by door."""
        name = "milepost_console_logins_failed_total"
        return {door: self.telemetry.registry.get_sample_value(name, {"door": door}) for door in ("api", "pages")}


def bearer(name, token=None):
    return {"Authorization": f"Bearer {token or TOKENS[name]}"}


def basic(name, token=None):
    pair = f"{name}:{token or TOKENS[name]}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def with_logins(folder, config):
    """The configuration with two logins, whose tokens lie beside it."""
    for name, token in TOKENS.items():
        (folder / name).write_text(token + "\n")
    config.write_text(config.read_text() + LOGINS.format(folder=folder))
    return config


def fits(answer, path, method="get"):
    """What was answered, once it fits what the OpenAPI document promises of this path and status."""
    responses = DOCUMENT["paths"][path][method]["responses"]
    promised = responses.get(str(answer.status_code), responses["default"])
    kind = answer.headers["content-type"]
    schema = promised["content"][kind]["schema"] | {"components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer.json())
    return answer.json()

"""A live Redmine from Debian's packages, freshly seeded, that a test drives over Redmine's own REST.

It runs as an instance of its own in a folder of its own: an instance that the machine may already have is not touched.
"""

import contextlib
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import httpx
from servers.cache import kept
from servers.process import ServerProcess, UnavailableError, free_port, run
from servers.system import apt_install, as_root, preseed

APPLICATION = Path("/usr/share/redmine")
# A link to /var/lib/redmine, which lies less deep: as many steps up as this path is deep lead to / from both.
INSTANCES = APPLICATION / "instances"
PACKAGES = ("redmine", "redmine-sqlite", "ruby-faraday")
SEED = Path(__file__).with_name("redmine_seed.rb")
DATABASE = "production:\n  adapter: sqlite3\n  database: {folder}/redmine.sqlite\n  timeout: 10000\n"


class Redmine(ServerProcess):
    """One server. `keys` by person: manager (the administrator) and collector, who may read; ids by name."""

    def __init__(self, folder: Path, port: int) -> None:
        version = installed_version()
        seeded = seeded_instance(version)
        lay_instance(folder)
        shutil.copy(seeded / "redmine.sqlite", folder)
        seed = json.loads((seeded / "seed.json").read_text())
        self.keys: dict[str, str] = seed["keys"]
        self.trackers: dict[str, int] = seed["trackers"]
        self.statuses: dict[str, int] = seed["statuses"]
        self.url = f"http://127.0.0.1:{port}"
        self.origin = f"Redmine {version}"
        self._pidfile = folder / "redmine.pid"
        # Debian's WEBrick lies outside Redmine's bundle, so it is loaded before the bundle hides it.
        serve = ["ruby", "-rwebrick", "bin/rails", "server", "-u", "webrick", "-b", "127.0.0.1"]
        command = [*serve, "-p", str(port), "-P", str(self._pidfile)]
        super().__init__("Redmine", command, folder / "redmine.log", environment=instance(folder), folder=APPLICATION)

    def ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.rest("GET", "/projects.json")[0] == 200
        return False

    def start(self) -> None:
        if not self.running:
            self._pidfile.unlink(missing_ok=True)  # after a kill it names a dead process
        super().start()

    def rest(self, method: str, path: str, body: object = None, who: str = "manager") -> tuple[int, Any]:
        """One REST call with that person's key; the status and the decoded answer (None where there is none)."""
        with httpx.Client(base_url=self.url, timeout=30) as client:
            answer = client.request(method, path, json=body, headers={"X-Redmine-API-Key": self.keys[who]})
        is_json = answer.headers.get("content-type", "").startswith("application/json") and answer.content
        return answer.status_code, answer.json() if is_json else answer.text or None

    def create_project(self, identifier: str, name: str = "Turbine hall") -> dict[str, Any]:
        """A public project with issue tracking; answers Redmine's `project`."""
        wanted = {"identifier": identifier, "name": name, "enabled_module_names": ["issue_tracking"], "is_public": True}
        return self._made("POST", "/projects.json", "project", {**wanted, "tracker_ids": [*self.trackers.values()]})

    def create_version(self, project: int, name: str, due_date: str, **fields: Any) -> dict[str, Any]:
        """A version, which is what Redmine calls a milestone; answers Redmine's `version`."""
        wanted = {"name": name, "due_date": due_date, **fields}
        return self._made("POST", f"/projects/{project}/versions.json", "version", wanted)

    def update_version(self, version: int, **fields: Any) -> dict[str, Any]:
        """Change it, e.g. status="closed" or due_date; answers the version as it is then."""
        return self._changed(f"/versions/{version}.json", "version", fields)

    def create_issue(self, project: int, subject: str, tracker: str = "Feature", **fields: Any) -> dict[str, Any]:
        """An issue, under a milestone with fixed_version_id; answers Redmine's `issue`."""
        wanted = {"project_id": project, "subject": subject, "tracker_id": self.trackers[tracker], **fields}
        return self._made("POST", "/issues.json", "issue", wanted)

    def update_issue(self, issue: int, status: str | None = None, **fields: Any) -> dict[str, Any]:
        """Change it; a status by its name. Answers the issue as it is then."""
        chosen = {"status_id": self.statuses[status]} if status else {}
        return self._changed(f"/issues/{issue}.json", "issue", {**chosen, **fields})

    def delete(self, path: str) -> None:
        """Delete /issues/ID.json or /versions/ID.json. Redmine answers 204 and keeps no trace."""
        status, answer = self.rest("DELETE", path)
        if status != 204:
            raise RuntimeError(f"DELETE {path}: {status} {answer}")

    def _made(self, method: str, path: str, what: str, fields: dict[str, Any]) -> dict[str, Any]:
        status, answer = self.rest(method, path, {what: fields})
        if status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        made: dict[str, Any] = answer[what]
        return made

    def _changed(self, path: str, what: str, fields: dict[str, Any]) -> dict[str, Any]:
        status, answer = self.rest("PUT", path, {what: fields})
        if status != 204:
            raise RuntimeError(f"PUT {path}: {status} {answer}")
        return dict(self.rest("GET", path)[1][what])


def start_redmine(folder: Path, port: int | None = None) -> Redmine:
    """A running, freshly seeded Redmine. Raises UnavailableError where Debian's packages cannot be had.

    The first start on a machine takes about a minute.
    """
    server = Redmine(folder, port or free_port())
    server.start()
    return server


def installed_version() -> str:
    """Debian's version of the package, installed now if it is not there yet."""
    if not (APPLICATION / "bin" / "rails").exists():
        if not as_root() or not shutil.which("apt-get"):
            raise UnavailableError("no Redmine", f"on Debian, as root: apt-get install {' '.join(PACKAGES)}")
        preseed("redmine redmine/instances/default/dbconfig-install boolean false")
        apt_install(*PACKAGES)
    query = ["dpkg-query", "-W", "-f", "${Version}", "redmine"]
    return run(query, what="asking for Redmine's version", deadline_s=30)


def seeded_instance(version: str) -> Path:
    """Folder with a seeded database and seed.json, made once."""

    def build(aside: Path) -> None:
        lay_instance(aside)
        known = instance(aside)
        migrate = ["ruby", "bin/rake", "db:migrate"]
        run(migrate, what="creating Redmine's tables", deadline_s=600, environment=known, folder=APPLICATION)
        seed = ["ruby", "bin/rails", "runner", str(SEED)]
        told = run(seed, what="seeding Redmine", deadline_s=300, environment=known, folder=APPLICATION)
        (aside / "seed.json").write_text(told.splitlines()[-1])

    return kept("redmine", build, version, SEED.read_text())


def lay_instance(folder: Path) -> None:
    """The folders and settings that make an instance."""
    for name in ("config", "files", "log", "tmp", "public"):
        (folder / name).mkdir()
    (folder / "config" / "database.yml").write_text(DATABASE.format(folder=folder))
    (folder / "config" / "secret_key.txt").write_text(secrets.token_hex(32))


def instance(folder: Path) -> dict[str, str]:
    """Environment that points Redmine at the instance, which it looks for beside Debian's own."""
    return {
        "REDMINE_INSTANCE": os.path.relpath(folder, INSTANCES),
        "RAILS_ENV": "production",
        "SCHEMA": str(folder / "schema.rb"),
        "TZ": "UTC",
    }

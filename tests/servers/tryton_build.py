"""What a live Tryton 8.2 is made of: its own virtual environment, and a database seeded once and copied ever after."""

import datetime as dt
import json
import secrets
import shutil
import sys
from pathlib import Path

from servers.cache import kept
from servers.postgres import Postgres
from servers.process import UnavailableError, run

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "tryton_requirements.txt"
SEED = HERE / "tryton_seed.py"
MODULES = ["purchase", "account_invoice_stock", "account_payment", "account_payment_clearing", "project"]
CONFIG = """\
[database]
uri = {uri}
path = {folder}
[web]
listen = 127.0.0.1:{port}
[session]
authentications = password
"""


def tryton_python() -> Path:
    """Python of Tryton's virtual environment, which has nothing in common with the project's."""

    def build(aside: Path) -> None:
        try:
            run([sys.executable, "-m", "venv", str(aside)], what="making Tryton's environment", deadline_s=120)
            install = [str(aside / "bin" / "python"), "-m", "pip", "install", "-q", "-r", str(REQUIREMENTS)]
            run(install, what="installing Tryton", deadline_s=900)
        except RuntimeError as fault:
            raise UnavailableError(f"Tryton cannot be installed: {str(fault).splitlines()[-1]}", str(fault)) from fault

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return kept("tryton", build, REQUIREMENTS.read_text(), sys.base_prefix, version) / "bin" / "python"


def seeded_files(python: Path) -> Path:
    """Folder with a seeded SQLite database (erp.sqlite), its seed.json and the password of its people."""

    def build(aside: Path) -> None:
        (aside / "erp.sqlite").touch()  # without the empty file Tryton says that there is no such database
        fill(python, aside, "sqlite://", "erp")

    return kept("tryton-sqlite", build, *recipe(python))


def seeded_dump(python: Path, postgres: Postgres) -> Path:
    """Folder with a dump of a seeded Postgres database (erp.sql), its seed.json and the password of its people."""

    def build(aside: Path) -> None:
        dsn = postgres.create_database()
        name = dsn.rpartition("/")[2]
        fill(python, aside, dsn.removesuffix(name), name)
        dump = [str(postgres.binaries / "pg_dump"), "--no-owner", "-f", str(aside / "erp.sql"), dsn]
        run(dump, what="dumping Tryton's database", deadline_s=120)
        postgres.drop_database(dsn)

    return kept("tryton-postgres", build, *recipe(python), postgres.origin)


def recipe(python: Path) -> list[str]:
    """A seeded database is good for its year: the seed opens the books of this year and the next."""
    return [str(python), SEED.read_text(), " ".join(MODULES), str(dt.datetime.now(dt.UTC).year)]


def fill(python: Path, folder: Path, uri: str, database: str) -> None:
    """Create Tryton's tables, activate the modules and run the seed."""
    config, password = folder / "trytond.conf", folder / "password"
    config.write_text(CONFIG.format(uri=uri, folder=folder, port=0))
    password.touch(mode=0o600)
    password.write_text(secrets.token_hex(12))
    known = {"TRYTONPASSFILE": str(password), "TRYTON_PASSWORD": password.read_text()}
    admin = [str(python), str(python.with_name("trytond-admin")), "-c", str(config), "-d", database]
    run([*admin, "--all", "--email", "admin@example.com"], what="creating tables", deadline_s=300, environment=known)
    activate = [*admin, "--activate-dependencies", "-u", *MODULES]
    run(activate, what="activating modules", deadline_s=600, environment=known)
    seed = [str(python), str(SEED), str(config), database]
    told = run(seed, what="seeding Tryton", deadline_s=300, environment=known)
    (folder / "seed.json").write_text(json.dumps(json.loads(told), indent=1))


def restore_files(seeded: Path, folder: Path) -> None:
    """Lay the seeded database in `folder`, log included: a log left over from before would be read into it."""
    for old in folder.glob("erp.sqlite*"):
        old.unlink()
    for fresh in seeded.glob("erp.sqlite*"):
        shutil.copy(fresh, folder)


def restore_dump(seeded: Path, postgres: Postgres) -> str:
    """A new database with the seeded rows; answers its dsn."""
    dsn = postgres.create_database()
    load = [str(postgres.binaries / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(seeded / "erp.sql"), dsn]
    run(load, what="restoring Tryton's database", deadline_s=120)
    return dsn

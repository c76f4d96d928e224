"""Which schema the database has and which this code brings. `migrations`, which changes the one into the other, takes
longer to load than everything else that a worker needs."""

from __future__ import annotations

from pathlib import Path

FLOOR = "select revision from schema_floor"


def scripts_folder() -> Path:
    """Where the migrations lie: in the wheel beside this module, in a checkout under deploy/."""
    packaged = Path(__file__).parent / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "deploy" / "migrations"


def shipped_revisions() -> list[str]:
    """The revisions that this code brings, oldest first: the numbers that the names of the scripts begin with."""
    return sorted(path.name.partition("_")[0] for path in (scripts_folder() / "versions").glob("[0-9]*_*.py"))


def faults_of_schema(revisions: list[str] | None, floor: str | None = None) -> list[str]:
    """What is wrong with a database that has these revisions applied (None: there is no schema at all). It may be newer
    than this program, as long as the program knows its `floor`."""
    shipped = shipped_revisions()
    if not revisions:
        return ["the database has no schema yet: run `milepost db upgrade`"]
    unknown = [revision for revision in revisions if revision not in shipped]
    if unknown and floor in shipped:
        return []
    if unknown:
        return [f"the database has schema {unknown[0]}, newer than this program's {shipped[-1]}: run a newer Milepost"]
    if revisions != [shipped[-1]]:
        return [f"the database has schema {revisions[0]}, this program needs {shipped[-1]}: run `milepost db upgrade`"]
    return []

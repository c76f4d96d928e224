"""Which migrations this code brings: known by their names, since alembic takes long to load."""

import subprocess
import sys

from alembic.script import ScriptDirectory

from connectors.migrations import _config
from connectors.schema import shipped_revisions


def test_the_names_of_the_scripts_say_the_revisions_in_their_order():
    chain = ScriptDirectory.from_config(_config()).walk_revisions()
    assert shipped_revisions() == [script.revision for script in chain][::-1]


def test_a_worker_starts_without_what_only_an_upgrade_needs():
    code = "import sys, services.wiring.worker; print({'alembic', 'sqlalchemy'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"

"""The one place where connectors meet ports: a module for each process or command, so that none loads what it does not
use.

- shared: `doors` to broker and store, what every long-running process has (`serving`), `persons`, `failpoints`
- processes: `worker`, `gate`, `collect`, `console`
- set up: `setup` (configuration, topics, database), `access` rights, `adopt` after a restore
- contracts: `contracts` applied, from `documents` (read by the `loader`) or `templates`, by the standards of the
  `house`; their `versions`
- operators act: `acts`, by `sending` events and waiting for the verdict; `quarantine`
- operators look: `looking`, `status`, `notices`, `reporting`, `outlook`; a milestone by its `places`
- auditors: `history`, `evidence`, `archive`; `shadows` of what would be, with `wishes` and `kept` records;
  `publishing`, by the `ocds_schema`
- without servers: `trial`, and the demo: `demo`, `demo_cast`, `demo_story`, `demo_watch`, `demo_outcome`
"""

RELEASE = "0.1.0"

# Entry points. `make` alone lists them.

PYTHON ?= python3
BIN := .venv/bin
# One test, the first start of its servers included, may take this long; then every thread's stack is shown and the run ends.
LONGEST_TEST_S := 1800
PYTEST := $(BIN)/python -m pytest -o faulthandler_timeout=$(LONGEST_TEST_S) -o faulthandler_exit_on_timeout=true \
	--ignore=tests/bench
BENCH := $(BIN)/python tests/bench/run.py --events 300000
SERVERS := kafka or postgres or tryton or redmine

.PHONY: help install demo test check format-check lint types imports tests-alone tests-with-servers fmt bench bench-all \
	bench-million pins mutation mutation-changed fuzz laws-long simulation chaos planted

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.test-installed ## make .venv with everything the tests need

demo: .venv/.demo-installed ## show Milepost at work on an embedded broker and Postgres
	@$(BIN)/milepost demo

test: check tests-with-servers ## everything CI runs

check: format-check lint types imports tests-alone mutation-changed ## everything that needs no server

format-check: install
	$(BIN)/ruff format --check .

lint: install
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

tests-alone: install ## the tests that need no server
	$(PYTEST) tests -n 2 --dist worksteal -m "not ($(SERVERS))"

tests-with-servers: install ## the tests against Kafka, Postgres, Tryton and Redmine
	$(PYTEST) tests -m "$(SERVERS)"

fmt: install ## format the code and repair what the linter can
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format .

bench: install ## measure the worker beside a plain handler, on real servers
	$(BIN)/python tests/bench/run.py

bench-all: install ## measure it beside everything one could pick instead; writes the tables of tests/bench/README.md
	$(BENCH) --contenders all --latency all --floors --readme keyed-by-contract
	$(BENCH) --contenders milepost,milepost-2,streams --keyed source --rounds 1 --latency none --readme keyed-by-source
	$(BENCH) --contenders milepost,milepost-2,streams --milestones 30 --rounds 1 --latency none --readme thirty-milestones

bench-million: install ## the same events beside 1,000,000 contracts instead of 2,000 (half an hour)
	$(BENCH) --contenders milepost-2 --contracts 1000000 --about 2000 --latency none --rounds 1 --readme million

mutation: install ## which small faults in the pure rooms would no test notice (half an hour)
	$(BIN)/python tests/mutation/run.py

mutation-changed: install ## the same for lines that differ from BASE (default: where we left origin/main, else the commit before)
	$(BIN)/python tests/mutation/run.py --changed --seconds 80 $(if $(BASE),--base $(BASE))

fuzz: install ## hostile bytes for every reader, coverage-guided, for MINUTES=10
	$(BIN)/python tests/fuzz/run.py $(or $(MINUTES),10)

planted: install ## put each planted bug into a copy and see that a test finds it (half an hour; BASE=commit: only what differs)
	$(BIN)/python tests/planted/run.py $(if $(BASE),--changed $(BASE))

simulation: install ## SEEDS (default: 100,000) simulated runs from FIRST on, and pairs of faults (hours)
	nice -n 10 $(BIN)/python tests/simulation/run.py --seeds $(or $(SEEDS),100000) --first $(or $(FIRST),0)
	nice -n 10 $(BIN)/python tests/simulation/run.py --systematic 2

laws-long: LAWS_SEED := $(or $(SEED),$(shell date +%s))
laws-long: install ## 50,000 histories of each machine from SEED on (default: another on every run; an hour on two cores)
	MILEPOST_LAWS=long MILEPOST_SEED=$(LAWS_SEED) $(PYTEST) tests/laws/test_machine.py -n 2 -v -o faulthandler_timeout=0

chaos: install ## break everything while all systems speak, heal it, judge it (SEED=; MINUTES= goes on for so long)
	PYTHONPATH=tests $(BIN)/python -m chaos.campaign --seed $(or $(SEED),20260301) --minutes $(or $(MINUTES),0)

pins: ## resolve deploy/constraints.txt anew, after a change of dependencies
	rm -rf build/pins && $(PYTHON) -m venv build/pins
	build/pins/bin/pip install -q --disable-pip-version-check -e '.[test,demo]'
	{ sed -n '/^#/p' deploy/constraints.txt; build/pins/bin/pip freeze --exclude-editable; } > build/pins/constraints.txt
	mv build/pins/constraints.txt deploy/constraints.txt && rm -rf build/pins

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Milepost needs Python 3.11 or newer, and $(PYTHON) is %d.%d: name a newer one with make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "no venv module: on Debian, apt-get install python3-venv" >&2; exit 1; }

# A stamp per extra, so that a repeat costs nothing and a changed pin installs again.
.venv/.%-installed: pyproject.toml deploy/constraints.txt | .venv/bin/python
	@echo "installing milepost[$*] into .venv"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[$*]' -c deploy/constraints.txt
	@touch $@

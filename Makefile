# What a newcomer needs: `make demo` and `make test`. Python 3.11 or later, nothing else.
PYTHON ?= python3
BIN := .venv/bin
# Neighbouring tests share browsers, archives and compiled issues: each worker takes a row of them.
PYTEST := $(BIN)/pytest -n auto --dist worksteal
# Ledgers sync each transaction to disk; in memory, where there is room, tests need not wait for it.
IN_MEMORY := $(shell df -k /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 2000000 {print "TMPDIR=/dev/shm"}')
# Whatever the shell says, Python keeps what it compiled: many tests start the program.
export PYTHONDONTWRITEBYTECODE :=

# The packages that most others stand on, 2,900 tests, in under a minute on two cores: lists, the
# queue and its policy, what comes back, issues, the ledger, messages. Not: commands, the public
# server, rendering, transports; nor the files here that take ten seconds or more.
QUICK := tests/audience tests/delivery tests/feedback tests/issues tests/ledger tests/message \
	--ignore tests/delivery/test_pacing.py --ignore tests/issues/test_hostile_pictures.py \
	--ignore tests/issues/test_image_prepare.py --ignore tests/message/test_dkim.py \
	--ignore tests/feedback/test_imap.py

.PHONY: help demo check test lint prove crash copies fuzz faults bench screenshots clean

help: ## What there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: .venv/ready ## Send the March 2017 newsletter to the example subscribers, into outbox/
	$(BIN)/newsletter check 2017-03
	$(BIN)/newsletter send 2017-03 --yes
	@echo 'To see how readers leave: newsletter serve --demo'

check: .venv/ready-dev ## A quick answer while you work: linters, types, and the quick tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(IN_MEMORY) $(PYTEST) $(QUICK)

test: .venv/ready-dev ## Run the tests
	$(IN_MEMORY) $(PYTEST)

lint: .venv/ready-dev ## Linters, and types for Linux, macOS and Windows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin newsletter
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 newsletter

prove: .venv/ready-dev crash copies fuzz ## All that takes longer than a gate may: kills, races, fuzzing, all examples
	PROVE=1 $(PYTEST)

copies: .venv/ready-dev ## Let two copies send in the same second, and copy, lose and restore at random
	$(BIN)/python -m tests.crash.copies --times 100
	$(BIN)/python -m tests.crash.histories --worlds 200

crash: .venv/ready-dev ## Kill the sender 250 times in every way there is, and count (needs smtp-sink, strace)
	$(BIN)/python -m tests.crash --modes smtp-all,http-all --kills 250 --jobs 2
	$(BIN)/python -m tests.crash --modes control --kills 20

fuzz: .venv/ready-dev ## Fuzz every parser of what others wrote, ten minutes each
	$(BIN)/python -m tests.fuzz --seconds 600

faults: .venv/ready-dev ## Run the tests of the fault matrix and write docs/fault-matrix.md
	$(BIN)/python -m tests.faults

bench: .venv/ready-dev ## Measure beside smtp-source (needs Postfix's smtp-sink and smtp-source)
	$(BIN)/python -m benchmarks.throughput

screenshots: .venv/ready-dev ## Photograph the March 2017 mails into build/looks/ (needs Chromium)
	$(BIN)/python -m tests.looks 2017-03

clean: ## Remove the virtual environment and what tools left behind
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build

# Locks pin versions and hashes; --no-build-isolation keeps the build backend to the lock, too.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/ready-dev: requirements-dev.lock .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

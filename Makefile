# `make` lists the verbs. Whatever has a condition in it is a small script in scripts/.

PYTHON ?=
ARGS ?=
BIN := .venv/bin
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help up up-embedded up-docker down reset demo dev psql migrate doctor check test chaos bench bench-alerts bench-checks bench-pages fmt lock venv venv-dev

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

up: ## start everything and print its address: in Docker where an engine answers, else on this machine
	@scripts/up

up-embedded: venv ## the same on this machine, without Docker
	@exec scripts/pinguin up

up-docker: ## the same in Docker
	@scripts/up-docker

down: ## stop what `make up` started; the data stays
	@scripts/down

reset: ## stop, and delete all data, after a question
	@scripts/reset

demo: ## targets that work, fail and flap, each with its monitor (while `make up` runs)
	@scripts/in-stack demo $(ARGS)

dev: venv-dev ## like up-embedded, with debug logs
	@PINGUIN_LOG_LEVEL=debug exec scripts/pinguin up

psql: ## psql on whichever database runs: `make psql`, or `echo 'select 1;' | make psql`
	@scripts/psql $(ARGS)

migrate: ## bring the running database to the newest version (`make up` does so by itself)
	@scripts/in-stack migrate

doctor: ## say what is missing or wrong, and what to do about it
	@scripts/in-stack doctor

check: venv-dev ## what CI asks: lint, types, all tests
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory test

test: venv-dev ## all tests, in three processes; ARGS="tests/store -k slots" for some, in one
	@scripts/need psql redis-cli redis-server chromium
	@PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(or $(ARGS),--numprocesses=3 --dist=loadfile)

chaos: venv-dev ## kill, stop and cut everything under load, and count; ARGS="worker" for some faults, --short for less time
	@$(BIN)/python -m tests.chaos $(ARGS)

bench: venv-dev ## measure dispatch, and from slot to committed row; ARGS="--assert" to fail on a missed bound
	@$(BIN)/python -m bench.dispatch $(ARGS)
	@$(BIN)/python -m bench.pipeline $(ARGS)

bench-alerts: venv-dev ## from a failed check to the message, and a thousand outages at once; ARGS="--assert"
	@$(BIN)/python -m bench.alerts $(ARGS)

bench-checks: venv-dev ## what a check costs, beside the peers that are installed here; ARGS="--assert"
	@$(BIN)/python -m bench.checks $(ARGS)
	@$(BIN)/python -m bench.scaling $(ARGS)

bench-pages: venv-dev ## every page at 100, 1,000 and 10,000 monitors with a year behind them; ARGS="--assert", "--monitors 100"
	@$(BIN)/python -m bench.pages $(ARGS)

fmt: venv-dev ## format, and fix what can be fixed
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lock: ## make requirements/*.lock anew from pyproject.toml (needs uv)
	@scripts/lock

venv:
	@scripts/venv embedded

venv-dev:
	@scripts/venv dev

# The few commands. `make demo` and `make test` need git, make and Python 3.11 or newer, and set everything else up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo serve portal portal-stop check test bench clean
help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml setup.py
	@PYTHON=$(PYTHON) sh ./environment.sh $(VENV)
	@touch $@

demo: $(READY) ## the whole line on made-up people; the portal comes to stand in demo/portal/
	@$(BIN)/rnu demo demo

serve: demo ## look at the demo's portal on this machine
	@$(BIN)/rnu serve --home demo

portal: demo ## a real CKAN portal on this machine, with the demo's releases in it
	@$(BIN)/python -m deploy.native up

portal-stop: ## end what `make portal` started; its data stay
	@$(BIN)/python -m deploy.native stop

check: $(READY) ## format, lint, types, import contracts, doctests, tests without services: a few minutes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m "not demo and not slow and not portal"

test: check demo ## everything: `check`, and the tests that look at the demo or kill runs
	$(BIN)/pytest -m "demo or slow" --ignore=tests/ckan

bench: $(READY) ## the line at national scale (ROWS=1000000 for less); 10 GB of disk, see bench/README.md
	$(BIN)/python -m bench.line --rows $(or $(ROWS),19360584)

clean: ## remove the demo
	rm -rf demo

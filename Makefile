# The few commands. `make demo` and `make test` need git, make and Python 3.11 or newer, and set everything else up;
# what only Debian's packages bring, `make test` and `make portal` install as root, and name to whoever is not.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# the portal of the tests: a folder and ports of its own
TESTED := $(if $(filter 0,$(shell id -u)),/var/lib/rnu-portal-tests,$(HOME)/.local/share/rnu-portal-tests)
export_tested = export RNU_PORTAL_HOME=$(TESTED) RNU_PORTAL_PORT=8960
# and of the pictures in docs/
PICTURED := $(subst portal-tests,portal-pictures,$(TESTED))
export_pictured = export RNU_PORTAL_HOME=$(PICTURED) RNU_PORTAL_PORT=8970

.PHONY: help demo serve portal portal-stop check test test-demo test-portal tools bench bench-portal pictures clean
.NOTPARALLEL: # one after the other, as they are named
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
	$(BIN)/pytest -m "not demo and not slow and not portal" --ignore=tests/ckan --ignore=tests/browser

test: tools check test-demo test-portal ## everything: `check` and the two below, 40 minutes on two cores

test-demo: demo ## the tests that look at the demo or kill runs
	$(BIN)/pytest -m "demo or slow" --ignore=tests/ckan --ignore=tests/browser

test-portal: tools demo ## a real CKAN portal of the tests' own, looked at by its API and in a browser; it ends afterwards
	@$(export_tested); $(BIN)/python -m deploy.native stop && rm -rf $(TESTED)
	@$(export_tested); trap '$(BIN)/python -m deploy.native stop' EXIT; $(BIN)/python -m deploy.native up && \
	    $(TESTED)/venv/bin/python -m pytest -p no:ckan -p no:ckan_fixtures \
	        tests/ckan tests/browser tests/rnu/test_requests.py tests/rnu/test_desk.py

tools: $(READY)
	@$(BIN)/python -m deploy.native tools

bench: $(READY) ## the line at national scale (ROWS=1000000 for less); 10 GB of disk, see bench/README.md
	$(BIN)/python -m bench.line --rows $(or $(ROWS),19360584)

bench-portal: $(READY) ## the CKAN portal that stands: pages, a table of 2 million rows, a national release
	$(BIN)/python -m bench.portal

pictures: demo ## the pictures in docs/, afresh, at a portal made for them that is gone afterwards
	@$(export_pictured); $(BIN)/python -m deploy.native stop && rm -rf $(PICTURED)
	@$(export_pictured); $(BIN)/python -m deploy.native tools && $(BIN)/python -m deploy.native up
	@$(export_pictured); $(BIN)/python -m tests.docs.pictures; ended=$$?; \
	    $(BIN)/python -m deploy.native stop; rm -rf $(PICTURED); exit $$ended

clean: ## remove the demo
	rm -rf demo

# `make run` and `make test` do everything on a machine that has Python 3.11 or newer and make.

VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/sh

# The first Python that is new enough and can make environments.
FIND_PYTHON = for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo $$python; exit; fi; done

# Installs with a dot for each package; the output is kept for when it fails.
INSTALL = install() { \
	{ "$$@" 2>&1 && touch $(@:%=%.ok); } | tee $@.log \
	| awk '/^ *Collecting / { printf "."; fflush() } END { print "" }'; \
	if [ -e $@.ok ]; then mv $@.ok $@; else tail -n 30 $@.log; exit 1; fi; }; install

.PHONY: run test check format bench bench-load bench-serving bench-sizes bench-traffic bench-search bench-charts bench-pages screenshots demo-bigquery try-proxies clean

run: $(VENV)/dev
	@$(BIN)/python -m pypistats.browser_setup
	@exec $(BIN)/python -m pypistats.launcher

# The tests in three processes, each with a PostgreSQL and a Valkey of its own; those of one file in one. They wait for
# much of their time, so that three suit two processors as well. Files go in their order: the longest are in its midst.
test: $(VENV)/test .venv-emulator/ready .venv-clickhouse/ready .venv-client/ready
	@$(BIN)/python -m pypistats.browser_setup
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: $(VENV)/check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/pip:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
		echo "pypistats needs Python 3.11 or newer with venv: on Debian, apt-get install python3-venv"; exit 1; fi; \
	echo "pypistats: making $(VENV) with $$($$python --version)"; \
	$$python -m venv $(VENV)
	@touch $@

$(VENV)/dev $(VENV)/test $(VENV)/bench $(VENV)/check: setup.cfg $(VENV)/pip
	@printf 'pypistats: installing packages '
	@$(INSTALL) $(BIN)/python -m pip install --disable-pip-version-check -e '.[$(@F)]'

.venv-emulator/ready .venv-clickhouse/ready .venv-client/ready: .venv-%/ready: tests/requirements-%.txt $(VENV)/pip
	@printf 'pypistats: installing packages for the tests ($*) '
	@$(BIN)/python -m venv .venv-$*
	@$(INSTALL) .venv-$*/bin/python -m pip install --disable-pip-version-check $(PIP_$*) -r $<

# What the engine asks for besides is as large again, and only its data frames need it.
PIP_clickhouse := --no-deps

# What the benchmarks fill a database with. All of PyPI is PACKAGES=600000, which takes up to 40 GB and half an hour
# once: FOLDER keeps what was filled for the next run.
PACKAGES ?= 60000
DAYS ?= 180
FILLED = --packages $(PACKAGES) --days $(DAYS) $(if $(FOLDER),--folder '$(FOLDER)')

bench: bench-load bench-serving bench-sizes bench-traffic bench-search bench-charts bench-pages

bench-load: $(VENV)/bench
	@$(BIN)/python -m benchmarks.load --packages $(PACKAGES)

bench-serving: $(VENV)/bench
	@$(BIN)/python -m pypistats.browser_setup
	@$(BIN)/python -m benchmarks.serving $(FILLED)

bench-sizes: $(VENV)/bench
	@$(BIN)/python -m benchmarks.sizes $(FILLED)

bench-traffic: $(VENV)/bench
	@$(BIN)/python -m pypistats.browser_setup
	@$(BIN)/python -m benchmarks.traffic $(FILLED)

bench-search: $(VENV)/bench
	@$(BIN)/python -m benchmarks.search
	@$(BIN)/python -m benchmarks.sitemap

bench-charts: $(VENV)/bench
	@$(BIN)/python -m pypistats.browser_setup
	@$(BIN)/python -m benchmarks.charts

bench-pages: $(VENV)/bench
	@$(BIN)/python -m pypistats.browser_setup
	@$(BIN)/python -m benchmarks.pages

screenshots: $(VENV)/test
	@$(BIN)/python -m pypistats.browser_setup
	@$(BIN)/python -m tests.take_screenshots

demo-bigquery: $(VENV)/test .venv-emulator/ready
	@$(BIN)/python -m tests.demo_bigquery --serve

# The tests of what writes, and of what reads in more than one statement.
WRITERS := budget data_revision demand ingest migrations month_order pipeline pypi_store reading retention supply tasks top wants

# Where Debian puts servers, which a user's PATH may lack.
try-proxies: export PATH := $(PATH):/usr/sbin
try-proxies: $(VENV)/test
	@for program in nginx varnishd pgbouncer; do command -v $$program >/dev/null || { \
		echo "$$program is missing: on Debian, apt-get install nginx-light varnish pgbouncer"; exit 1; }; done
	@$(BIN)/python -m pytest tests/try_caches.py tests/try_pgbouncer.py
	@$(BIN)/python -m pytest --pgbouncer 4 $(WRITERS:%=tests/test_%.py)

clean:
	rm -rf .venv .venv-emulator .venv-clickhouse .venv-client var

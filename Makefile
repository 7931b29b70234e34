# pkgdb: `make demo` shows it, `make test` proves it. Needs Python 3.11 or newer and nothing else.
#
#   PG=system|wheel|/folder/of/binaries   which PostgreSQL the tests and the demo run on
#   ARGS='-k yank'                        more arguments for pytest or the demo

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

PG ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp

ifneq ($(PG),)
export PKGDB_BINDIR := $(PG)
endif

.PHONY: help
help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while read -r name text; do \
		printf '  make %-8s %s\n' "$$name" "$$text"; done
	@sed -n 's/^#   /  /p' Makefile

.PHONY: demo
demo: $(STAMP) ## load real package indexes into a database of its own and look around
	$(BIN)/pkgdb demo $(ARGS)

.PHONY: test
test: $(STAMP) ## run the whole test suite
	$(BIN)/pytest -n 2 $(ARGS)

.PHONY: prove
prove: $(STAMP) ## attack every promise for ten minutes, or PROVE_MINUTES, and print what came out
	$(BIN)/python -m tests.proof $(ARGS)

.PHONY: mutate
mutate: $(STAMP) ## take each protection of the schema away, one at a time, and see a test fail
	$(BIN)/python -m tests.mutation $(ARGS)

.PHONY: lint
lint: $(STAMP) ## check style, types and what is generated from files
	$(BIN)/ruff format --check -q
	$(BIN)/ruff check -q
	$(BIN)/mypy
	$(BIN)/python tools/unasync.py --check
	$(BIN)/python tools/freeze.py --check
	$(BIN)/python tools/incidents.py --check

.PHONY: sync
sync: $(STAMP) ## generate the synchronous twin of the wrapper
	$(BIN)/python tools/unasync.py

.PHONY: freeze
freeze: $(STAMP) ## copy sql/ into the newest migration
	$(BIN)/python tools/freeze.py

.PHONY: docs
docs: $(STAMP) ## write what of the documentation is generated
	$(BIN)/python tools/incidents.py
	$(BIN)/python tools/reference.py

.PHONY: bench
bench: $(STAMP) ## measure beside the peers, 25 minutes (ARGS=--quick: 3); bench-results/report.html
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: oracles
oracles: $(STAMP) ## install what PyPI has of the tools that the version tests compare with
	$(BIN)/python -m pip install --quiet --editable '.[oracles]'
	@# It carries a copy of conda, and needs nothing else for that.
	$(BIN)/python -m pip install --quiet --no-deps 'conda-lock>=4.0.3'

.PHONY: venv
venv: $(STAMP) ## make .venv with everything for development

# The first Python that is new enough and can make a virtual environment.
$(STAMP): pyproject.toml
	@for python in python3.14 python3.13 python3.12 python3.11 python3; do \
		if $$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
		then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo 'Python 3.11 or newer with its venv module is needed (Debian: python3-venv)' >&2; \
		exit 1; \
	fi; \
	echo "$$found -m venv $(VENV)"; $$found -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

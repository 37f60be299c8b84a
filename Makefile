# The index of commands. Every one sets up what it needs from a bare checkout, given Python 3.11+ (with venv) and make.
#
#   make run     a server with a demo user and real sample mail on http://127.0.0.1:8080
#   make test    lint, types, tests
#   make pyz     dist/jmaplite.pyz, from zipapp.spec
#   make bench   the benchmarks
#   make fuzz    the property tests over and over, with other examples each time, until one fails
#   make clean   takes away all of it but the demo's data
#
#   make test-pythons   test on each of PYTHONS, in an environment for each

PYTHON ?= python3
PYTHONS ?= python3.11 python3.12 python3.13
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
DEMO := examples/data/.quickstart-mail

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test test-pythons lint type pyz bench fuzz clean

run: $(INSTALLED) $(DEMO)
	@echo "Session:  http://127.0.0.1:8080/.well-known/jmap"
	@echo "User:     demo@example.org"
	@echo "Password: demo"
	@exec $(BIN)/jmaplite serve examples/quickstart.toml

test: lint type
	$(BIN)/python -m pytest

test-pythons:
	@set -e; for python in $(PYTHONS); do \
		version=$$($$python -c 'import platform; print(platform.python_version())'); \
		$(MAKE) PYTHON=$$python VENV=.venv/$$version test; \
	done

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

type: $(INSTALLED)
	$(BIN)/mypy

pyz: $(INSTALLED)
	$(BIN)/python packaging/build.py --output dist/jmaplite.pyz

bench: $(INSTALLED)
	$(BIN)/python -m bench
	$(BIN)/python -m bench --workers
	$(BIN)/python -m bench --delivery

fuzz: $(INSTALLED)
	while $(BIN)/python -m pytest -q -m hypothesis --hypothesis-profile=fuzz; do :; done

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "$(PYTHON) is not Python 3.11 or newer: name one that is, as in make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[fast,ldap,lint,postgresql,test]'
	@touch $@

$(DEMO): | $(INSTALLED)
	$(BIN)/jmaplite import eml --config examples/quickstart.toml --account demo@example.org examples/quickstart-mail
	@touch $@

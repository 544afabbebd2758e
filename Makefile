# make demo    the paper's method, end to end and offline, on the built-in world; results in out/
# make test    style, types, documentation and tests
# make docs    the documentation as a site, in build/site/
# make clean   remove the environment and everything built
#
# The first two create .venv beside this file and install into it, once. PYTHON=python3.12 chooses the
# interpreter it is made from.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable

# Keep an active environment from leaking into this one.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
unexport PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV

# Recreate an environment without a working interpreter, or one made before the checkout was copied or moved.
ifneq ($(shell $(BIN)/python -c "" 2>/dev/null && cat .venv/place 2>/dev/null),$(CURDIR))
.PHONY: .venv/place
endif

.PHONY: demo docs test clean

demo: .venv/installed
	$(BIN)/lslo demo --results out

test: .venv/installed-dev
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile

docs: .venv/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache

.venv/place:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("lslo needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv --clear .venv
	@pwd -P > $@

.venv/installed: .venv/place pyproject.toml constraints.txt
	$(INSTALL) .
	@touch $@

.venv/installed-dev: .venv/place pyproject.toml constraints.txt
	$(INSTALL) '.[dev]'
	@touch .venv/installed $@

# Two commands, each complete on a fresh machine with git, Python and make:
#   make app     serves the page on this machine
#   make test    checks everything
# All they install goes into .venv; another Python: make app PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet

.PHONY: app test lock clean

app: .venv/.installed
	$(BIN)/python app.py

test: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

# The stamps: what is installed is installed once, and again when its list changes.
.venv/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
	  { echo "captioner needs Python 3.10 or newer, and $(PYTHON) is older or not there: name a newer one, as in make app PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@echo "Installing the Python packages into .venv; the first time takes some minutes."
	$(PIP) -r requirements.txt
	$(PIP) --no-build-isolation --no-deps -e .
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.txt
	$(PIP) -r requirements.txt -r requirements-dev.txt
	@touch $@

# Pins every package anew, for all systems and Python versions at once; needs uv. What torch
# brings along for NVIDIA cards stays out: the torch that is built for them asks for it itself.
UV := uv pip compile --quiet --universal --python-version 3.10 --no-annotate --no-header
lock:
	$(UV) --extra heic pyproject.toml -o requirements.txt
	grep -Ev "^(cuda|nvidia|triton)|== '(emscripten|win32)'" requirements.txt > requirements.tmp
	mv requirements.tmp requirements.txt
	$(UV) --group dev -c requirements.txt -o requirements-dev.txt

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache

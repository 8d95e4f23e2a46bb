# Two commands, each complete on a fresh machine with git, Python and make:
#   make app     serves the page on this machine
#   make test    checks everything
# All they install goes into .venv; another Python: make app PYTHON=python3.12
#
# For those who work on it:
#   make quick     ruff, mypy and the tests that take a moment: some minutes less than make test
#   make coverage  all tests, how much of each file they ran, and of each room: 90 % at least
#   make docs      the pages that the code tells: docs/commands.md, docs/python.md
#   make wheel     wheel and sdist in dist/, checked, and the wheel tried in an empty environment
#   make sbom      dist/sbom.cdx.json, a CycloneDX list of all packages
#   make audit     known advisories on what is pinned; asks PyPI
#   make licences  docs/licences.md, the licences of all packages
#   make notebook  runs examples/attention.ipynb
#   make trust     the long scripts of benchmarks/: an hour and more
#   make lock      pins every package anew

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet

.PHONY: app test quick coverage docs wheel sbom audit licences notebook trust lock clean

app: .venv/.installed
	$(BIN)/python app.py

test: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

quick: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --quick

coverage: .venv/.installed-dev
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered
	@low=; for room in $(dir $(wildcard captioner/*/__init__.py)); do \
	  echo "$$room $$($(BIN)/coverage report --format=total --include="$$room*") %"; \
	  $(BIN)/coverage report --fail-under=90 --include="$$room*" > /dev/null || low="$$low $$room"; \
	done; test -z "$$low" || { echo "below 90 %:$$low"; exit 1; }

docs: .venv/.installed-dev
	$(BIN)/python docs/generate.py

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

.venv/.installed-release: .venv/.installed requirements-release.txt
	$(PIP) -r requirements.txt -r requirements-release.txt
	@touch $@

wheel: .venv/.installed-release
	rm -rf dist build/empty
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*
	$(PYTHON) -m venv build/empty
	env -u PYTHONPATH build/empty/bin/python -m pip install --disable-pip-version-check --quiet dist/*.whl
	cd build && env -u PYTHONPATH empty/bin/python ../benchmarks/tried_wheel.py

sbom: .venv/.installed-release
	$(BIN)/python docs/sbom.py

audit: .venv/.installed-release
	$(BIN)/pip-audit --strict --no-deps --disable-pip -r requirements.txt

licences: .venv/.installed-dev .venv/.installed-release
	$(BIN)/python docs/licences.py

notebook: .venv/.installed-release
	$(BIN)/python examples/run.py

trust: .venv/.installed-dev
	$(BIN)/python benchmarks/trust.py

# Pins every package anew, for all systems and Python versions at once; needs uv. What torch
# brings along for NVIDIA cards stays out: the torch that is built for them asks for it itself.
UV := uv pip compile --quiet --universal --python-version 3.10 --no-annotate --no-header
lock:
	$(UV) --extra page --extra train --extra heic pyproject.toml -o requirements.txt
	$(UV) --group dev -c requirements.txt -o requirements-dev.txt
	$(UV) --group release -c requirements.txt -c requirements-dev.txt -o requirements-release.txt
	for list in requirements.txt requirements-dev.txt; do \
	  grep -Ev "^(cuda|nvidia|triton)|== '(emscripten|win32)'" $$list > requirements.tmp && \
	  mv requirements.tmp $$list || exit 1; done

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache

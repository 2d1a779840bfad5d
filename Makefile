# Every target does its own set-up: a virtual environment, an editable install, and a browser where tests need one.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test lint doctest notebooks browser lab docs test-lowest bench validate clean

VENV := .venv
LOWEST := .venv-lowest
PY := $(VENV)/bin/python
WORKERS ?= 2
SANITIZE := notebooks/sanitize.cfg

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(VENV)/.ready  ## Run the main job on real data: the quickstart notebook, its table here and as a page
	$(PY) scripts/demo.py

test: lint notebooks doctest browser  ## Pass every check: lint, types, layers, notebooks, documentation, tests
	$(PY) -m pytest -n $(WORKERS) --dist loadfile

lint: $(VENV)/.ready  ## Check style, types and the direction of imports
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

notebooks: $(VENV)/.ready  ## Execute every notebook and compare each output with the committed one
	$(PY) -m pytest -q -p no:randomly -n $(WORKERS) --dist loadfile --nbval --nbval-current-env --nbval-sanitize-with $(SANITIZE) notebooks

doctest: $(VENV)/.ready  ## Run the examples of the docstrings, the README and the documentation
	$(PY) -m pytest -q -p no:randomly --doctest-modules --doctest-glob='*.md' src/dfevals README.md docs

browser:  ## Find Chromium for the tests of the explorer, or install it
	@scripts/ensure_browser.sh

lab: $(VENV)/.ready  ## Open JupyterLab on the notebooks
	$(VENV)/bin/jupyter lab notebooks

docs: $(VENV)/.ready  ## Build the documentation; a warning is an error
	$(PY) -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "Documentation: docs/_build/html/index.html"

test-lowest: $(LOWEST)/.ready browser  ## Run the tests on the oldest allowed versions of the dependencies
	$(LOWEST)/bin/python -m pytest -n $(WORKERS) --dist loadfile -W default::DeprecationWarning -W default::FutureWarning

bench: $(VENV)/.ready-bench  ## Measure against peers on the same frame in one process
	$(PY) benchmarks/run.py

validate: $(VENV)/.ready  ## Simulate every interval at length for the documentation, and ask every question about every awkward frame
	DFEVALS_AWKWARD=all $(PY) -m pytest -q -n $(WORKERS) tests/test_awkward.py
	$(PY) scripts/validate.py
	$(PY) scripts/validate_flags.py
	$(PY) scripts/validate_fairness.py
	$(PY) scripts/validate_slices.py
	$(PY) scripts/validate_judged.py

clean:  ## Remove what was built, keeping the source
	rm -rf build dist docs/_build docs/_generated $(VENV) $(LOWEST) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/.ready: pyproject.toml
	scripts/make_venv.sh $(VENV) "lab,test,docs,dev"
	@touch $@

$(VENV)/.ready-bench: $(VENV)/.ready
	scripts/make_venv.sh $(VENV) "bench"
	@touch $@

$(LOWEST)/.ready: pyproject.toml
	scripts/make_venv.sh $(LOWEST) "lab,test" --resolution lowest-direct
	@touch $@

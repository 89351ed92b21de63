# Each target works as the only command on a fresh clone, with Python 3.11 or newer and access to a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: search test lint bench images docs clean help

search: $(VENV)/.installed  ## search the embedded digits, print the front
	$(BIN)/nas search digits

test: $(VENV)/.installed-test lint  ## the whole test suite
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --ignore=tests/tuning/test_ray_nodes.py
	$(BIN)/python -m pytest tests/tuning/test_ray_nodes.py

lint: $(VENV)/.installed-test  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed  ## what counting and writing to MLflow cost
	$(BIN)/python benchmarks/counting.py
	$(BIN)/python benchmarks/tracking.py
	$(BIN)/python benchmarks/reference_counting.py

images: $(VENV)/.installed-test  ## the pictures of the README
	$(BIN)/python docs/make_images.py

docs: $(VENV)/.installed-docs  ## the documentation as a site, in site/
	$(BIN)/mkdocs build

clean:  ## remove the virtual environment and caches; searches stay
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .hypothesis

help:
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; try make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $(VENV)/.installed $@

$(VENV)/.installed-docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $(VENV)/.installed $@

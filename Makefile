# nmt-attn: `make help` lists what can be made.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo docs notebooks parity test test-all test-gpu check format clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(STAMP)  ## a virtual environment with the package and what its tests need

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "nmt-attn: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1) (make setup PYTHON=...)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --constraint constraints.txt torch
	$(RUN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: setup  ## everything from nothing: train, translate, evaluate on the built-in corpus
	@sh scripts/demo.sh $(RUN)/nmt-attn

docs: setup  ## the documentation site, in site/
	$(RUN)/python scripts/build_site.py

notebooks: setup  ## runs the five notebooks
	$(RUN)/python scripts/run_notebooks.py

parity: setup  ## models of other toolkits, run there and here: make parity PEERS=FOLDER (docs/systems.md)
	@test -n "$(PEERS)" || { echo "make parity: expected PEERS=FOLDER, a folder with a virtual environment for each toolkit"; exit 2; }
	$(RUN)/python scripts/run_parity.py $(PEERS)
	$(RUN)/python scripts/systems_page.py

test: check  ## format, lint, types and tests
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest --quiet --numprocesses 2

test-all: check  ## the slow tests too
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest --quiet --numprocesses 2 -m 'not gpu'

test-gpu: setup  ## the tests that need a CUDA GPU
	$(RUN)/python -m pytest --quiet -m gpu

check: setup  ## format, lint and types
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy

format: setup  ## reformats, and mends what the linter can mend
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

clean:  ## removes everything that was made
	rm -rf $(VENV) site .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info

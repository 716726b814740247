# make setup   a virtual environment with the package and what its tests need
# make demo    everything from nothing: train, translate, evaluate on the built-in corpus
# make test    format, lint, types and tests; test-all adds the slow ones, test-gpu those that need a GPU

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test test-all test-gpu check format clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "nmt-attn: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1) (make setup PYTHON=...)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --constraint constraints.txt torch
	$(RUN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: setup
	@sh scripts/demo.sh $(RUN)/nmt-attn

test: check
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest --quiet --numprocesses 2

test-all: check
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest --quiet --numprocesses 2 -m 'not gpu'

test-gpu: setup
	$(RUN)/python -m pytest --quiet -m gpu

check: setup
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy

format: setup
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info

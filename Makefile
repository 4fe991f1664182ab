# Two commands from a fresh clone: `make demo` and `make test`. Each makes its own virtual environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := rnn_cli tests corpora benchmarks

.DEFAULT_GOAL := help
.PHONY: help install demo test test-long fuzz bench format clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,plots,search,dask]'
	@touch $@

install: $(STAMP)  ## make the virtual environment with pinned versions

demo: $(STAMP)  ## train the small model and complete a sentence with it
	$(BIN)/rnn train configs/favourites.yaml
	$(BIN)/rnn complete "My favourite dish is sushi. So, my favourite cuisine is _____."

test: $(STAMP)  ## formatter, linter, types, import layers and tests
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist loadfile

test-long: $(STAMP)  ## the tests that take minutes
	$(BIN)/pytest -m long --timeout 1800

fuzz: $(STAMP)  ## 100,000 random inputs each for configs, model files, tokenizers and prompts
	$(BIN)/python -m tests.fuzz

bench: $(STAMP)  ## measure training, contention, engine, inference and growth (15 minutes; see benchmarks/README.md)
	$(BIN)/python -m benchmarks.training_speed
	$(BIN)/python -m benchmarks.contention
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.inference
	$(BIN)/python -m benchmarks.growth growth.svg

format: $(STAMP)  ## format the code and mend what the linter can mend
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

clean:  ## remove the virtual environment and every tool's cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .fuzz

# `make train` and `make test` set everything up in .venv on a fresh machine and then do their work.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: train test lint clean

# The stamp stands for an environment that fits pyproject.toml and constraints.txt.
.venv/stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

train: .venv/stamp
	$(BIN)/pipeline train --config unet_ct.yaml

test: .venv/stamp
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: .venv/stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv build dist *.egg-info

# Everything happens in .venv, made on first use from the committed constraints. Needs Python >= 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
EXAMPLE ?= build/example
BIN = $(VENV)/bin
# Constraints through the environment, because these hold for the build requirements too (two names: old and new pip).
CONSTRAINED = PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=$(1) PIP_BUILD_CONSTRAINT=$(1)

.DEFAULT_GOAL := help
.PHONY: help example test lint types unit quick-start test-lowest test-wheel peer bench docs clean

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

example: $(VENV)/.run ## simulate and fit the embedded example in build/example
	@test -e $(EXAMPLE)/config.yaml || $(BIN)/gm init $(EXAMPLE) --example crab --quiet
	$(BIN)/gm run $(EXAMPLE)/config.yaml
	@echo "config and models: $(EXAMPLE)    results: $(EXAMPLE)/results"
	@echo "look at them:      $(BIN)/gm show $(EXAMPLE)/results/fit/fit.yaml"

test: lint types unit quick-start ## everything that must hold: lint, types, unit tests, the quick start

lint: $(VENV)/.dev ## ruff, check and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

unit: $(VENV)/.dev ## the unit tests; real data from ../shared or $GM_TEST_DATA, Gammapy from $GM_PEER_PYTHON
	$(BIN)/python -m pytest

quick-start: $(VENV)/.dev ## the commands of the quick start in a fresh folder
	rm -rf build/quick-start
	$(BIN)/gm init build/quick-start --example crab --quiet
	$(BIN)/gm validate build/quick-start/config.yaml
	$(BIN)/gm run --quiet build/quick-start/config.yaml
	$(BIN)/gm show build/quick-start/results/fit/fit.yaml > /dev/null
	test -s build/quick-start/results/fit/fit.yaml

test-lowest: build/venv-lowest/.test ## the unit tests with the lowest versions that pyproject.toml allows
	build/venv-lowest/bin/python -m pytest

test-wheel: ## the wheel alone, on every Python from 3.11 on that is here, or on $(PYTHONS): examples, figures, tests
	$(PYTHON) -m tests.try_wheel $(PYTHONS)

peer: build/venv-peer/.installed ## an environment with Gammapy in build/venv-peer, to compare with

bench: $(VENV)/.dev $(if $(GM_PEER_PYTHON),,peer) ## time gm against Gammapy; writes benchmarks/results and the README's table
	$(BIN)/python benchmarks/run_all.py

docs: $(VENV)/.dev ## the documentation as a site in build/site, and its code blocks run
	$(BIN)/python -m docs.site
	$(BIN)/python -m pytest tests/test_docs.py tests/test_repository.py

clean: ## remove the environments and everything that was made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gm needs Python >= 3.11; found $$($(PYTHON) --version 2>&1). Say which: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamps: pip runs again only when what it reads has changed. `-e` so that the tree itself is what is tested.
$(VENV)/.run: $(VENV)/bin/python pyproject.toml constraints.txt
	$(call CONSTRAINED,constraints.txt) $(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(call CONSTRAINED,constraints.txt) $(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $(VENV)/.run $@

build/venv-lowest/.test: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv build/venv-lowest
	$(call CONSTRAINED,constraints-lowest.txt) build/venv-lowest/bin/python -m pip install --quiet -e '.[test]'
	@touch $@

build/venv-peer/.installed: benchmarks/requirements-peer.txt
	$(PYTHON) -m venv build/venv-peer
	build/venv-peer/bin/python -m pip install --quiet -r benchmarks/requirements-peer.txt
	@touch $@

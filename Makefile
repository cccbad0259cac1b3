# Teal on a laptop. `make run` and `make test` set up everything they need; the other targets are for developers.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.13 >/dev/null 2>&1 && python3.13 -c '' 2>/dev/null && echo python3.13 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: help run setup setup-dev test check lint types layers secrets licences sbom bench clean

help: ## What there is to make
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.runtime: requirements.txt requirements-query.txt requirements-laptop.txt requirements-models.txt
	@echo "==> Python environment in $(VENV) (once, about half a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Teal needs Python 3.11 or newer: make PYTHON=python3.12"; rm -rf $(VENV); exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes $(addprefix -r ,$^)
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-aws.txt requirements-gcp.txt requirements-dev.txt
	@echo "==> Tools for tests and checks (once, about a minute)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes $(addprefix -r ,$(filter %.txt,$^))
	@touch $@

setup: $(VENV)/.runtime ## Environment for running
setup-dev: $(VENV)/.dev ## Environment for tests and checks

run: setup ## Serve the API on this machine, with real sample data
	@$(BIN)/python -m shared.cli run $(ARGS) || test $$? -eq 130

test: setup-dev ## All tests
	@$(BIN)/python -m pytest tests -n 2 --dist loadfile --no-loadscope-reorder

check: setup-dev lint types layers secrets licences sbom test ## Everything a reviewer would check

lint: setup-dev ## Style, and ruff's security rules
	@echo "==> Style"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup-dev ## Types
	@echo "==> Types"
	@$(BIN)/mypy

layers: setup-dev ## Imports point down
	@echo "==> Imports"
	@$(BIN)/lint-imports

secrets: setup-dev ## No keys or passwords in files
	@echo "==> Secrets"
	@$(BIN)/python -m scripts.find_secrets

licences: setup-dev ## What ships may be shipped
	@echo "==> Licences"
	@$(BIN)/python -m scripts.licences

sbom: setup-dev ## What each package is made of, as CycloneDX in .build/sbom
	@echo "==> Bills of materials"
	@$(BIN)/python -m scripts.sbom --into .build/sbom

bench: setup-dev ## Measure, side by side, with ratios
	@$(BIN)/python -m benchmarks

clean: ## Remove environments and data made here
	rm -rf .venv .venv-* .build .aws-sam teal-data .mypy_cache .ruff_cache

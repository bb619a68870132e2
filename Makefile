# Rhythm's commands. Each one sets up what it needs, says what it does, and is quick when nothing needs doing.

.DEFAULT_GOAL := help
SHELL := bash
# One target directory and one profile for everything, so that nothing is built twice.
export CARGO_TARGET_DIR := $(CURDIR)/target
RELEASE := --release --locked
PG_CONFIG ?= pg_config
N ?= 20000
SEED ?= 1

.PHONY: help setup build demo test check unit conformance differential workflows stress test-pg test-python install fuzz bench bench-flow fmt accept clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what the build needs (clang; PostgreSQL 18 and tools into .venv)
	@scripts/setup

build: setup ## Build the CLI, the extension and the Python package
	@scripts/build

demo: build ## Run both examples on a throwaway server, with real kills
	@scripts/demo

test: build check unit conformance test-pg test-python demo ## Run everything that CI runs

check: setup ## Formatting, clippy, and the Python package's linters
	cargo fmt --all --check
	cargo fmt --manifest-path flow/fuzz/Cargo.toml --check
	PGRX_PG_CONFIG_PATH=$$(scripts/pg_config) cargo clippy $(RELEASE) --workspace --all-targets -- -D warnings
	.venv/bin/ruff check adapters/python examples tests bench scripts/demo
	.venv/bin/ruff format --check adapters/python examples tests bench scripts/demo
	.venv/bin/mypy --strict adapters/python/python

unit: ## Test what needs no server: the language, the client, the command line
	cargo test $(RELEASE)

conformance: ## Compare the conformance corpus with Node
	tests/conformance/run.sh
	tests/conformance/strict.sh
	tests/conformance/regex.sh
	tests/conformance/unicode.sh --check
	tests/differential/run.sh --n 2000

differential: ## Run N generated programs of a SEED in Flow and in Node, and shrink what differs
	tests/differential/run.sh --n $(N) --seed $(SEED)

workflows: build ## Play N random workflows of a SEED on throwaway servers, and shrink what a model does not explain
	RHYTHM_TEST_CASES=$(N) RHYTHM_TEST_SEED=$(SEED) PGRX_PG_CONFIG_PATH=$$(scripts/pg_config) cargo test $(RELEASE) -p rhythm-tests -- flows::

stress: build ## Let 16 sessions meet in the same workflows for SECONDS=600 on a throwaway server: no deadlock, nothing stuck
	RHYTHM_TEST_STRESS=$(or $(SECONDS),600) PGRX_PG_CONFIG_PATH=$$(scripts/pg_config) cargo test $(RELEASE) -p rhythm-tests -- stress_workflows

test-pg: build ## End-to-end tests on throwaway servers; `make test-pg T=name` runs some
	PGRX_PG_CONFIG_PATH=$$(scripts/pg_config) cargo test $(RELEASE) -p rhythm-tests -- $(T)

test-python: build ## The Python package's own tests, on a throwaway server
	scripts/test-python

install: ## Install the extension into the Postgres of PG_CONFIG=…
	@extension/install.sh $(PG_CONFIG)

fuzz: ## Fuzz the language: `make fuzz T=load SECONDS=60`; T is parse, compile, run, load or regex
	@flow/fuzz/fuzz $(or $(T),all) $(or $(SECONDS),60)

bench: build ## Measure beside a minimal SKIP LOCKED queue, as ratios; writes bench/RESULTS.md
	@bench/run --write && bench/queue --write

bench-flow: ## Measure Flow beside `node --jitless`; writes bench/flow/RESULTS.md
	@bench/flow/run --write

fmt: setup ## Format everything
	cargo fmt --all
	cargo fmt --manifest-path flow/fuzz/Cargo.toml
	.venv/bin/ruff format adapters/python examples tests bench scripts/demo

accept: ## Take the new snapshots of the golden tests
	INSTA_UPDATE=always cargo test $(RELEASE)

clean: ## Remove what was built and the demo's data
	rm -rf target .venv .node .rhythm

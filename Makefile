# The commands of this project. Each takes care of the tools that it needs.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

PYTHON ?= python3
QUEUE_TYPE ?= fifo
ROUNDS ?= 9
SEQUENCES ?= 100000

TOOLS := .tools
INSTALLED := $(TOOLS)/installed
TOOL := $(TOOLS)/bin/python -m
CHECKOV := $(TOOLS)/checkov
CHECKOV_INSTALLED := $(CHECKOV)/installed
CARGO_FUZZ := 0.13.2
CARGO_FUZZ_INSTALLED := $(TOOLS)/cargo/cargo-fuzz-$(CARGO_FUZZ)

export SAM_CLI_TELEMETRY := 0
export CKV_SKIP_PACKAGE_UPDATE_CHECK := true
export __SAM_CLI_APP_DIR := $(CURDIR)/.local/cache/sam
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help run up shell outputs environment logs down test faults fuzz soak bench screens build deploy clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: $(INSTALLED) ## Send every sample event through a fresh local deployment, and compare
	@$(TOOL) local run

up: $(INSTALLED) ## Leave a local deployment running; PARAMETERS="QueueType=standard" sets template parameters
	@$(TOOL) local up $(PARAMETERS)

shell: $(INSTALLED) ## Build relayctl, and print what a shell has to eval to use it, and aws, on the running local deployment
	@$(TOOL) local shell

outputs: $(INSTALLED) ## Print the outputs of the running local deployment as JSON
	@$(TOOL) local outputs

environment: $(INSTALLED) ## Print the settings of the running local deployment's function, to be set in a shell
	@$(TOOL) local environment

logs: $(INSTALLED) ## Print what the function of the running local deployment has logged
	@$(TOOL) local logs

down: $(INSTALLED) ## Stop what `make up` left running
	@$(TOOL) local down

test: $(INSTALLED) $(CHECKOV_INSTALLED) ## Check format, lints and template, and run every test, a local deployment's too
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --all-targets --all-features -- -D warnings
	cargo clippy --locked --package bench --package noop --all-targets -- -D warnings
	cargo test --locked --all-features
	cargo test --locked --package bench
	$(TOOLS)/bin/python events/regenerate.py --check
	$(TOOLS)/bin/python $(TOOLS)/bin/cfn-lint template.yaml
	$(TOOL) samcli validate --lint
	$(CHECKOV)/bin/python -m checkov.main --framework cloudformation --file template.yaml --skip-download --quiet --compact
	$(TOOL) pytest -p no:cacheprovider tests/stack

faults: ## Play 100,000 random sequences to the relay with a faulty AWS; SEQUENCES=… and SEED=… say which
	FAULT_SEQUENCES=$(SEQUENCES) $(if $(SEED),FAULT_SEED=$(SEED)) cargo test --locked --profile faults --test faults random

fuzz: $(INSTALLED) $(CARGO_FUZZ_INSTALLED) ## Play inputs of its own making to each oracle of tests/fuzzed; MINUTES=60 each, TARGET=… plays to one
	@$(TOOL) local fuzz --minutes $(or $(MINUTES),60) $(TARGET) $(if $(KEEP),--keep)

soak: $(INSTALLED) ## Send events through one trouble after another, and account for each; MINUTES=10 sets how long
	@$(TOOL) local soak --minutes $(or $(MINUTES),10) --queue-type $(QUEUE_TYPE) $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON))

bench: $(INSTALLED) ## Measure cold start, CPU and memory beside a function that does nothing, and write docs/performance.md
	@$(TOOL) local bench --rounds $(ROUNDS) --write

screens: $(INSTALLED) ## Draw docs/screens anew: what make run and relayctl really print
	@$(TOOL) local screens

build: $(INSTALLED) ## Build the function for AWS; ARCH=arm64 or x86_64, or this machine's processor
	@$(TOOL) local build $(ARCH)

deploy: build ## Build for AWS and deploy there with your own credentials; asks, unless PARAMETERS="Name=value …" says it
	@$(TOOL) local deploy $(ARCH) $(if $(PARAMETERS),--set $(PARAMETERS))

clean: ## Stop the local deployment, and delete all that these commands have made
	@if [ -e $(INSTALLED) ]; then $(TOOL) local down; fi
	rm -rf target fuzz/target .aws-sam .local .tools

# The tools' own folder, made anew when their versions change. Nothing of this is a result, so it goes to standard error.
$(INSTALLED): local/requirements.txt
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || \
		{ echo "This needs Python 3.11 or newer with its venv module. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing the pinned tools into $(TOOLS): once, about a minute and 800 MB" >&2
	@$(PYTHON) -m venv --clear $(TOOLS)
	@$(TOOL) pip install --disable-pip-version-check --progress-bar off --no-compile --no-deps --requirement $< | \
		awk '/^Collecting/ && ++n % 20 == 0 {print "  " n " downloaded"; fflush()} /^Installing/ {print "  unpacking"; fflush()}' >&2
	@$(TOOL) compileall -q -j 0 $(TOOLS)/lib > /dev/null || true # on all cores; some packages hold files that are no Python
	@touch $@

# The policy linter in a folder of its own, since it wants other versions of what the tools need.
$(CHECKOV_INSTALLED): local/checkov.txt $(INSTALLED)
	@echo "Installing the pinned policy linter into $(CHECKOV): once, about half a minute and 300 MB" >&2
	@$(PYTHON) -m venv --clear $(CHECKOV)
	@$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --requirement $<
	@$(CHECKOV)/bin/python -m compileall -q -j 0 $(CHECKOV)/lib > /dev/null || true
	@touch $@

# The fuzzer needs nightly Rust for its instrumentation, and a C++ compiler; nothing else here does.
$(CARGO_FUZZ_INSTALLED): | $(INSTALLED)
	@cargo +nightly --version > /dev/null 2>&1 || rustup toolchain install nightly --profile minimal
	@echo "Installing cargo-fuzz $(CARGO_FUZZ) into $(TOOLS)/cargo: once, about a minute" >&2
	@cargo install --quiet --locked --root $(TOOLS)/cargo --version $(CARGO_FUZZ) cargo-fuzz
	@touch $@

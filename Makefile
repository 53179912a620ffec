# The commands that people type. `make` installs the tools that they need into .tools.

SHELL := /bin/bash

PYTHON ?= python3

TOOLS := .tools
DEV := $(TOOLS)/bin/python -m dev
INSTALLED := $(TOOLS)/installed

# Everything that is installed or cached stays in the project's ignored folders.
export UV_CACHE_DIR := $(CURDIR)/$(TOOLS)/cache
export UV_PYTHON_DOWNLOADS := never
export SAM_CLI_TELEMETRY := 0
export __SAM_CLI_APP_DIR := $(CURDIR)/.local/cache/sam
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help run up down shell environment outputs logs test test-all faults fuzz soak bench build deploy accept lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: $(INSTALLED) ## Send every sample event through a fresh local deployment, and compare
	@$(DEV) run

up: $(INSTALLED) ## Leave a local deployment running; PARAMETERS="QueueType=standard" sets template parameters
	@$(DEV) up $(PARAMETERS)

down: $(INSTALLED) ## Stop what `make up` left running
	@$(DEV) down

shell: $(INSTALLED) ## Build relayctl, and print what a shell has to eval to use it, and aws, with the running local deployment
	@$(DEV) shell

environment: $(INSTALLED) ## Print the environment of the running local deployment's function, for a shell
	@$(DEV) environment

outputs: $(INSTALLED) ## Print the outputs of the running local deployment as JSON
	@$(DEV) outputs

logs: $(INSTALLED) ## Print what the function of the running local deployment has logged
	@$(DEV) logs

test: $(INSTALLED) ## Check format, lints and types, and run the tests, those of a local deployment included
	@$(DEV) test

test-all: $(INSTALLED) ## `make test`, and then the tests that take minutes; CI runs this
	@$(DEV) test --all

faults: ## Run 100,000 random sequences of requests and AWS faults; SEQUENCES=… and SEED=… select the sequences
	FAULT_SEQUENCES=$(or $(SEQUENCES),100000) $(if $(SEED),FAULT_SEED=$(SEED)) cargo test --locked --profile faults --test faults random

fuzz: $(INSTALLED) ## Fuzz all targets in parallel; MINUTES=60, TARGET=… fuzzes one, KEEP=yes stores new inputs
	@$(DEV) fuzz --minutes $(or $(MINUTES),60) $(TARGET) $(if $(KEEP),--keep)

soak: $(INSTALLED) ## Send events during one fault after another, and check what became of each; MINUTES=10, QUEUE_TYPE=fifo
	@$(DEV) soak --minutes $(or $(MINUTES),10) --queue-type $(or $(QUEUE_TYPE),fifo)

bench: $(INSTALLED) ## Measure cold start, CPU and memory beside the smallest program for the job, and write docs/performance.md; ROUNDS=20
	@$(DEV) bench --rounds $(or $(ROUNDS),20) --write

build: $(INSTALLED) ## Build the function for AWS; ARCH=arm64 or x86_64, or this machine's processor
	@$(DEV) build $(ARCH)

deploy: $(INSTALLED) ## Build for AWS and deploy with your credentials; asks for parameters unless PARAMETERS="Name=value …" is given
	@$(DEV) deploy $(ARCH) $(if $(PARAMETERS),--set $(PARAMETERS))

accept: $(INSTALLED) ## Deploy a disposable stack with your credentials, write docs/aws-acceptance.md, and delete it; EMAIL=…, ON=emulator
	@$(DEV) accept $(if $(ON),--on $(ON)) $(if $(EMAIL),--email $(EMAIL))

lock: $(INSTALLED) ## Update uv.lock after a change of pyproject.toml
	$(TOOLS)/uv/bin/uv lock --python $(TOOLS)/bin/python

clean: ## Stop the local deployment, and delete everything that these commands have created
	@if [ -e $(INSTALLED) ]; then $(DEV) down; fi
	rm -rf target fuzz/target .aws-sam .local .tools

# Made anew when the lock changes. Nothing of this is a result, so it goes to standard error. checkov has an environment of its own, because it pins
# other versions than aws-sam-cli.
$(INSTALLED): pyproject.toml uv.lock dev/uv.txt
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || \
		{ echo "This needs Python 3.11 or newer with its venv module. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing the pinned tools into $(TOOLS): once, 1.5 GB" >&2
	@rm -rf $(TOOLS)/lib $(TOOLS)/bin $(TOOLS)/checkov $(TOOLS)/uv
	@$(PYTHON) -m venv $(TOOLS)/uv && $(TOOLS)/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement dev/uv.txt >&2
	@$(PYTHON) -m venv --without-pip $(TOOLS) && $(PYTHON) -m venv --without-pip $(TOOLS)/checkov
	@UV_PROJECT_ENVIRONMENT=$(TOOLS) $(TOOLS)/uv/bin/uv sync --quiet --locked --group tools --compile-bytecode
	@UV_PROJECT_ENVIRONMENT=$(TOOLS)/checkov $(TOOLS)/uv/bin/uv sync --quiet --locked --group checkov --compile-bytecode
	@touch $@

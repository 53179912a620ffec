# The commands of this project. Each takes care of the tools that it needs.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

PYTHON ?= python3
QUEUE_TYPE ?= fifo
ROUNDS ?= 20
SEQUENCES ?= 100000
AT_ONCE ?= 3
CASES ?= 100000
MEASUREMENTS ?= 1000000

TOOLS := .tools
INSTALLED := $(TOOLS)/installed
TOOL := $(TOOLS)/bin/python -m
CHECKOV := $(TOOLS)/checkov
CHECKOV_INSTALLED := $(CHECKOV)/installed
STACK_TESTS := $(TOOL) pytest -p no:cacheprovider --numprocesses $(AT_ONCE) --dist loadfile --no-loadscope-reorder tests/stack
AUDITORS := $(TOOLS)/auditors
DENY := $(TOOLS)/bin/cargo-deny --locked
DENY_WORKSPACE := $(DENY) --workspace --config deny-workspace.toml
STRICTLY := --deny unmatched-skip --deny unnecessary-skip
CYCLONEDX := $(TOOLS)/cargo/bin/cargo-cyclonedx
CYCLONEDX_VERSION := 0.5.9
CARGO_MUTANTS := 27.1.0
CARGO_MUTANTS_INSTALLED := $(TOOLS)/cargo/mutants-$(CARGO_MUTANTS)
CARGO_LLVM_COV := 0.9.1
CARGO_LLVM_COV_INSTALLED := $(TOOLS)/cargo/llvm-cov-$(CARGO_LLVM_COV)
LLVM := $(TOOLS)/llvm
LLVM_INSTALLED := $(LLVM)/installed
CARGO_FUZZ := 0.13.2
CARGO_FUZZ_INSTALLED := $(TOOLS)/cargo/cargo-fuzz-$(CARGO_FUZZ)

export PYTHON
export SAM_CLI_TELEMETRY := 0
export CKV_SKIP_PACKAGE_UPDATE_CHECK := true
export __SAM_CLI_APP_DIR := $(CURDIR)/.local/cache/sam
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help run up shell outputs environment logs down test thorough faults judge fuzz mutants coverage soak timing bench screens advisories sbom build reproduce deploy clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: $(INSTALLED) ## Send every sample event through a fresh local deployment, and compare
	@$(TOOL) dev run

up: $(INSTALLED) ## Leave a local deployment running; PARAMETERS="QueueType=standard" sets template parameters
	@$(TOOL) dev up $(PARAMETERS)

shell: $(INSTALLED) ## Build relayctl, and print what a shell has to eval to use it, and aws, with the running local deployment
	@$(TOOL) dev shell

outputs: $(INSTALLED) ## Print the outputs of the running local deployment as JSON
	@$(TOOL) dev outputs

environment: $(INSTALLED) ## Print the environment of the running local deployment's function, for a shell
	@$(TOOL) dev environment

logs: $(INSTALLED) ## Print what the function of the running local deployment has logged
	@$(TOOL) dev logs

down: $(INSTALLED) ## Stop what `make up` left running
	@$(TOOL) dev down

test: $(INSTALLED) $(CHECKOV_INSTALLED) $(AUDITORS) ## Check format, lints and template, and run the tests, those of a local deployment included
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --workspace --exclude usual --all-targets -- -D warnings
	$(DENY) check $(STRICTLY) bans licenses sources
	$(DENY_WORKSPACE) check licenses sources
	$(DENY_WORKSPACE) --exclude usual check $(STRICTLY) bans
	$(TOOLS)/bin/zizmor --offline --persona=pedantic --quiet .github/workflows
	cargo test --locked --workspace --exclude usual
	$(TOOL) pytest -p no:cacheprovider --quiet examples/python
	$(TOOLS)/bin/npm install --prefix examples/node --no-audit --no-fund --silent
	$(TOOLS)/bin/node --test examples/node/labelbox-queue.test.js
	$(TOOLS)/bin/python events/regenerate.py --check
	$(TOOLS)/bin/python $(TOOLS)/bin/cfn-lint template.yaml
	$(TOOL) samcli validate --lint
	$(CHECKOV)/bin/python -m checkov.main --framework cloudformation --file template.yaml --skip-download --quiet --compact
	$(STACK_TESTS) -m "not long"

thorough: test ## `make test`, and then the tests that take minutes
	$(STACK_TESTS) -m long

faults: ## Run 100,000 random sequences of requests and AWS faults; SEQUENCES=… and SEED=… select the sequences
	FAULT_SEQUENCES=$(SEQUENCES) $(if $(SEED),FAULT_SEED=$(SEED)) cargo test --locked --profile faults --test faults random

judge: ## Compare verifier and event reader with Python implementations on 100,000 cases; CASES=… and SEED=… select the cases
	DIFFERENTIAL_CASES=$(CASES) $(if $(SEED),DIFFERENTIAL_SEED=$(SEED)) cargo test --locked --workspace --exclude usual --test differential relay_agrees

mutants: $(CARGO_MUTANTS_INSTALLED) ## Mutation tests of the library and aws-lite; FILE=src/signature.rs or SHARD=0/8 limits them
	@$(PYTHON) -m dev.mutants $(if $(FILE),--file $(FILE)) $(if $(SHARD),--shard $(SHARD))

coverage: $(CARGO_LLVM_COV_INSTALLED) $(LLVM_INSTALLED) ## Line coverage of the library and aws-lite by their tests, file by file; MISSING=1 lists the missed lines
	@PATH="$(CURDIR)/$(TOOLS)/cargo/bin:$$PATH" LLVM_COV=$(LLVM)/bin/llvm-cov LLVM_PROFDATA=$(LLVM)/bin/llvm-profdata \
		cargo llvm-cov --locked --package labelbox-relay --package aws-lite --lib --test it \
		--ignore-filename-regex '/tests\.rs$$|/test_util\.rs$$|^$(CURDIR)/(relayctl|tests)/' $(if $(MISSING),--show-missing-lines)

fuzz: $(INSTALLED) $(CARGO_FUZZ_INSTALLED) ## Fuzz all targets in parallel; MINUTES=60, TARGET=… fuzzes one
	@$(TOOL) dev fuzz --minutes $(or $(MINUTES),60) $(TARGET) $(if $(KEEP),--keep)

soak: $(INSTALLED) ## Send events during one fault after another, and check what became of each; MINUTES=10 sets how long
	@$(TOOL) dev soak --minutes $(or $(MINUTES),10) --queue-type $(QUEUE_TYPE) $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON))

timing: ## Measure whether the time of a verification depends on how much of a signature is correct; MEASUREMENTS=… for each case
	@cargo run --locked --release --package timing -- $(MEASUREMENTS)

bench: $(INSTALLED) ## Measure cold start, CPU and memory beside the least program that does the job, and write docs/performance.md
	@$(TOOL) dev bench --rounds $(ROUNDS) --write

screens: $(INSTALLED) ## Render docs/screens from what make run and relayctl print
	@$(TOOL) dev screens

advisories: $(AUDITORS) ## Check the crates against the RustSec advisory database; needs the internet
	$(DENY) check advisories
	$(DENY_WORKSPACE) check advisories

sbom: $(INSTALLED) $(CYCLONEDX) ## Write the function's bill of materials as CycloneDX into .local/sbom
	@$(TOOL) dev sbom

build: $(INSTALLED) ## Build the function for AWS; ARCH=arm64 or x86_64, or this machine's processor
	@$(TOOL) dev build $(ARCH)

reproduce: $(INSTALLED) ## Build the last commit twice, in different environments, and compare the archives byte for byte
	@$(TOOL) dev reproduce $(ARCH)

deploy: build ## Build for AWS and deploy with your credentials; asks for parameters unless PARAMETERS="Name=value …" is given
	@$(TOOL) dev deploy $(ARCH) $(if $(PARAMETERS),--set $(PARAMETERS))

clean: ## Stop the local deployment, and delete everything that these commands have created
	@if [ -e $(INSTALLED) ]; then $(TOOL) dev down; fi
	rm -rf target fuzz/target .aws-sam .local .tools

# The tools' own folder, made anew when their versions change. Nothing of this is a result, so it goes to standard error.
$(INSTALLED): dev/requirements.txt
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || \
		{ echo "This needs Python 3.11 or newer with its venv module. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing the pinned tools into $(TOOLS): once, about a minute and 800 MB" >&2
	@$(PYTHON) -m venv --clear $(TOOLS)
	@$(TOOL) pip install --disable-pip-version-check --progress-bar off --no-compile --no-deps --require-hashes --requirement $< | \
		awk '/^Collecting/ && ++n % 20 == 0 {print "  " n " downloaded"; fflush()} /^Installing/ {print "  unpacking"; fflush()}' >&2
	@$(TOOL) compileall -q -j 0 $(TOOLS)/lib > /dev/null || true # on all cores; some packages hold files that are no Python
	@touch $@

# The policy linter in a folder of its own, since it wants other versions of what the tools need.
$(CHECKOV_INSTALLED): dev/checkov.txt $(INSTALLED)
	@echo "Installing the pinned policy linter into $(CHECKOV): once, about half a minute and 300 MB" >&2
	@$(PYTHON) -m venv --clear $(CHECKOV)
	@$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes --requirement $<
	@$(CHECKOV)/bin/python -m compileall -q -j 0 $(CHECKOV)/lib > /dev/null || true
	@touch $@

# The judges of dependencies and workflows. Wheels that hold a single program each, so they find room beside the other tools.
$(AUDITORS): dev/auditors.txt $(INSTALLED)
	@echo "Installing the pinned judges of dependencies and workflows into $(TOOLS): once, 15 MB" >&2
	@$(TOOL) pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes --requirement $<
	@touch $@

# It speaks cargo's own language, and so is compiled. The version is in the stamp's name, so that another one is installed anew.
$(CYCLONEDX): $(TOOLS)/cargo/cargo-cyclonedx-$(CYCLONEDX_VERSION)

$(TOOLS)/cargo/cargo-cyclonedx-$(CYCLONEDX_VERSION): $(INSTALLED)
	@echo "Compiling cargo-cyclonedx $(CYCLONEDX_VERSION) into $(TOOLS)/cargo: once, a few minutes" >&2
	@cargo install --locked --quiet --root $(TOOLS)/cargo --profile dev --version $(CYCLONEDX_VERSION) cargo-cyclonedx
	@touch $@

# Tools in Rust, built here, each with a file that says which version there is.
$(CARGO_MUTANTS_INSTALLED):
	@echo "Building cargo-mutants $(CARGO_MUTANTS) into $(TOOLS)/cargo: once, some minutes" >&2
	@cargo install --quiet --locked --root $(TOOLS)/cargo --version $(CARGO_MUTANTS) cargo-mutants
	@touch $@

$(CARGO_LLVM_COV_INSTALLED):
	@echo "Building cargo-llvm-cov $(CARGO_LLVM_COV) into $(TOOLS)/cargo: once, some minutes" >&2
	@cargo install --quiet --locked --root $(TOOLS)/cargo --version $(CARGO_LLVM_COV) cargo-llvm-cov
	@touch $@

# llvm-profdata and llvm-cov of the LLVM that the pinned rustc has (`rustc --version --verbose`). Python starts once, since
# the package makes its links then.
$(LLVM_INSTALLED): dev/llvm.txt
	@echo "Installing the LLVM tools that read rustc's coverage into $(LLVM): once, 150 MB" >&2
	@$(PYTHON) -m venv --clear $(LLVM)
	@$(LLVM)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes --requirement $<
	@$(LLVM)/bin/python -c '' && $(LLVM)/bin/llvm-profdata --version > /dev/null
	@touch $@

# The fuzzer needs nightly Rust for its instrumentation, and a C++ compiler; nothing else here does.
$(CARGO_FUZZ_INSTALLED): | $(INSTALLED)
	@cargo +nightly --version > /dev/null 2>&1 || rustup toolchain install nightly --profile minimal
	@echo "Installing cargo-fuzz $(CARGO_FUZZ) into $(TOOLS)/cargo: once, about a minute" >&2
	@cargo install --quiet --locked --root $(TOOLS)/cargo --version $(CARGO_FUZZ) cargo-fuzz
	@touch $@

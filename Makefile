# Everything a newcomer needs: `make run` and `make test` each do all their set-up themselves.

PYTHON ?= python3
CARGO  ?= cargo
# What the tests compile with: every feature, so that one build serves all of them.
FEATURES := --workspace --all-features
# What `make test-long` tries: cases of each property, and the seed, which a call can set to repeat a failure.
LONG_CASES ?= 4096
# Requests to each operation of the API.
LONG_REQUESTS ?= 20
SEED       ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')

# The test features of `make test-core`: everything that needs no models.
CORE := -p gpu-retrieval -p memory-core -p engrain \
	--features memory-core/sqlite,memory-core/openai,memory-core/testing,engrain/formats
CLIPPY := $(CARGO) clippy --locked --all-targets

# What `make check` uses besides the toolchain: from crates.io, once, into the cache. Unoptimised, which builds quicker.
TOOLS := $(or $(ENGRAIN_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/engrain)/tools
DENY := cargo-deny@0.20.2
MACHETE := cargo-machete@0.9.2
# In a build folder of its own, which cargo clears away: neither waits for the other build.
INSTALL := env -u CARGO_TARGET_DIR $(CARGO) install --debug --locked

.DEFAULT_GOAL := help
.PHONY: help setup run test test-core test-long check lint docs deny unused fuzz-api openapi bench evals

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## Fetch the pinned models and ONNX Runtime (once, into the cache)
	@$(PYTHON) scripts/fetch_models.py

run: setup ## Set up, build, and serve on http://127.0.0.1:7070
	@$(CARGO) run --release --locked -p engrain-server --bin engrain -- serve

test: setup ## Set up, build, and run every test, random ones from fixed seeds
	$(CARGO) test --locked $(FEATURES)

test-core: ## The tests that need no models and no set-up, without those of documentation: for the quick loop
	$(CARGO) test --locked $(CORE) --lib --tests

test-long: SEED := $(SEED)
test-long: setup ## The same, with the full form of what `make test` samples, from a random seed that SEED=... repeats
	@echo "test-long: the seed is $(SEED); make test-long SEED=$(SEED) repeats this run"
	@ENGRAIN_TEST_LONG=1 PROPTEST_RNG_SEED=$(SEED) PROPTEST_CASES=$(LONG_CASES) \
		PROPTEST_MAX_GLOBAL_REJECTS=$$((4 * $(LONG_CASES))) $(CARGO) test --locked $(FEATURES) \
		|| { echo "test-long: failed with SEED=$(SEED)"; exit 1; }
	@$(PYTHON) scripts/fuzz_api.py --seed $(SEED) --examples $(LONG_REQUESTS)

fuzz-api: SEED := $(SEED)
fuzz-api: ## A running server against its OpenAPI document, with many requests (schemathesis)
	$(PYTHON) scripts/fuzz_api.py --seed $(SEED)

check: lint docs deny unused ## All that CI checks besides the tests

lint: ## Formatting, and clippy with all, the default, few and no features, warnings denied
	$(CARGO) fmt --all --check
	$(CLIPPY) $(FEATURES) -- -D warnings
	$(CLIPPY) --workspace -- -D warnings
	$(CLIPPY) --no-default-features -p memory-core -- -D warnings
	$(CLIPPY) --no-default-features --features postgres -p memory-core -- -D warnings
	$(CLIPPY) --no-default-features -p engrain -- -D warnings
	$(CLIPPY) --no-default-features -p engrain-server -- -D warnings

docs: ## The documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked $(FEATURES) --no-deps --document-private-items

deny: $(TOOLS)/$(DENY)/bin/cargo-deny ## Licences, sources and known vulnerabilities of all dependencies
	$< --locked check bans licenses sources
	@if $< --locked fetch db; then $< --locked check advisories; else \
	  echo "SKIPPED: advisories are not checked, because their database (github.com/rustsec) cannot be fetched"; fi

unused: $(TOOLS)/$(MACHETE)/bin/cargo-machete ## Dependencies that nothing uses
	$< --with-metadata

$(TOOLS)/$(DENY)/bin/cargo-deny:
	$(INSTALL) --root $(TOOLS)/$(DENY) $(DENY)

$(TOOLS)/$(MACHETE)/bin/cargo-machete:
	$(INSTALL) --root $(TOOLS)/$(MACHETE) $(MACHETE)

openapi: ## Write server/openapi.json anew from the code
	$(CARGO) run --locked --quiet -p engrain-server --all-features --bin engrain -- openapi > server/openapi.json.new
	mv server/openapi.json.new server/openapi.json

evals: setup ## What recall finds on a benchmark's FILE: make evals BENCHMARK=locomo FILE=locomo10.json (see evals/README.md)
	$(CARGO) run --release --locked -p engrain-evals --bin engrain-evals -- $(BENCHMARK) $(FILE)

bench: ## The micro-benchmarks (see docs/BENCHMARKS.md)
	$(CARGO) bench --locked -p gpu-retrieval
	$(CARGO) bench --locked -p memory-core --bench lexical

# Everything a newcomer needs: `make run` and `make test` each do all their set-up themselves.

PYTHON ?= python3
CARGO  ?= cargo
# What the tests compile with: every feature, so that one build serves all of them.
FEATURES := --workspace --all-features

.DEFAULT_GOAL := help
.PHONY: help setup run test test-long lint openapi bench evals

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## Fetch the pinned models and ONNX Runtime (once, into the cache)
	@$(PYTHON) scripts/fetch_models.py

run: setup ## Set up, build, and serve on http://127.0.0.1:7070
	@$(CARGO) run --release --locked -p engrain-server --bin engrain -- serve

test: setup ## Set up, build, and run every test
	$(CARGO) test --locked $(FEATURES)

test-long: setup ## The same, with the full form of what `make test` samples
	ENGRAIN_TEST_LONG=1 $(CARGO) test --locked $(FEATURES)

lint: ## Formatting, clippy and documentation, warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked $(FEATURES) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked $(FEATURES) --no-deps --document-private-items

openapi: ## Write server/openapi.json anew from the code
	$(CARGO) run --locked --quiet -p engrain-server --all-features --bin engrain -- openapi > server/openapi.json.new
	mv server/openapi.json.new server/openapi.json

evals: setup ## What recall finds on a benchmark's FILE: make evals BENCHMARK=locomo FILE=locomo10.json (see evals/README.md)
	$(CARGO) run --release --locked -p engrain-evals --bin engrain-evals -- $(BENCHMARK) $(FILE)

bench: ## The micro-benchmarks (see docs/BENCHMARKS.md)
	$(CARGO) bench --locked -p gpu-retrieval
	$(CARGO) bench --locked -p memory-core --bench lexical

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup bench race check test test-0.24 sanitize truth lint clean

# The settings of `make bench` and `make race` that are set become flags of their programs, which document them; ARGS adds
# others.
flags = $(if $(MODEL),--model '$(MODEL)') \
        $(if $(TP),--tensor-parallel-size $(TP)) \
        $(if $(DP),--data-parallel-size $(DP)) \
        $(if $(PRESET),--preset $(PRESET)) \
        $(if $(ENGINE_MODE),--engine-mode $(ENGINE_MODE)) \
        $(if $(GPU_MEMORY_UTILIZATION),--gpu-memory-utilization $(GPU_MEMORY_UTILIZATION)) \
        $(if $(DTYPE),--dtype $(DTYPE)) \
        $(ARGS)

help: ## Show this list
	@sed -n 's/^\([a-z0-9.-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST))
	@echo 'Settings of make bench and make race: MODEL TP DP PRESET ENGINE_MODE GPU_MEMORY_UTILIZATION DTYPE, such as MODEL=facebook/opt-125m'

setup: ## Set up Python with vLLM in .venv, if it is not there
	@scripts/setup >/dev/null

bench: ## Run the three benchmarks and print their tables
	@python=$$(scripts/setup); go build -o bin/vllmbench ./cmd/vllmbench; VLLMGO_PYTHON=$$python exec bin/vllmbench run $(strip $(flags))

race: ## Race vllmgo against plain Python, vLLM's HTTP server and vllm bench throughput
	@python=$$(scripts/setup); go build -o bin/vllmbench ./cmd/vllmbench; VLLMGO_PYTHON=$$python exec bin/vllmbench race $(strip $(flags))

# A Python without vLLM, and none of the tests that start dozens of processes: make test runs those.
SLOW = TestEnvironmentIsObeyed|TestNothingLeaks|TestCancellationIsRaisedAgain|$\
TestCancellationLeavesNoLockHeld|TestInsistenceLeavesNoLockHeld|TestFinalizersHoldNobodyUp|$\
TestLookingAtAThreadThatLogs|TestLargeResultsDoNotPileUp|TestWaitingForTheGILObeysContext|$\
TestReports|TestCancellationSparesImports|TestStress|TestOutputAtStart|TestFinalizerStorm|$\
TestCallInAnotherProcessOfPython|TestConda|TestUV|TestManyGoroutinesFewThreads|$\
TestFaulthandlerLeavesFaultsToGo|TestNoLocaleIsUTF8|TestOutputOfPthFile|$\
TestWhatEndsPythonsStartIsAnError|FuzzExceptions
check: ## Check what needs no vLLM, in seconds
	@$(MAKE) --no-print-directory lint
	@env -u VIRTUAL_ENV VLLMGO_PYTHON=$$(command -v python3) go test -short -skip '^($(SLOW))$$' $(ARGS) ./... | \
		{ grep -v 'no test files' || true; }

# It names the tests that failed once more at the end, where the output of engines cannot bury them.
gotestsum = go tool gotestsum --format pkgname-and-test-fails --hide-summary output,skipped -- -race -count=1 -timeout 60m

# One package at a time, since each may load an engine.
test: ## Run all tests
	@scripts/setup --test >/dev/null
	@$(MAKE) --no-print-directory lint
	@scripts/test-setup
	@python=$$(scripts/setup); VLLMGO_PYTHON=$$python scripts/test-pythons $(TEST_PYTHONS)
	@python=$$(scripts/setup); VLLMGO_PYTHON=$$python $(gotestsum) -p 1 $(ARGS) ./...
	@go test -count=1 ./bench/stat # the simulations that the race detector makes too slow

# Of many engines, what depends on the release is in TestReplicas/in-process.
test-0.24: ## Run vllmgo's tests with the oldest vLLM that is supported
	@python=$$(scripts/setup --release 0.24); VLLMGO_PYTHON=$$python $(gotestsum) \
		-skip 'TestReplicas/own-process|TestIsolation/replicas|TestPoolingOnReplicas' $(ARGS) ./vllmgo

sanitize: ## Run pyembed's tests with gcc's sanitizers of addresses and undefined behaviour, in two minutes
	@env -u VIRTUAL_ENV VLLMGO_PYTHON=$$(command -v python3) scripts/sanitize $(ARGS)

# numpy and scipy are for this alone. SEED=N makes other journals, JOURNALS=N so many.
truth: .cache/truth/installed ## Compare the figures of 1,000 random journals with a second implementation, in Python
	@go run ./bench/truth $(or $(SEED),1) $(or $(JOURNALS),1000) | .cache/truth/bin/python bench/truth/compare.py

.cache/truth/installed: bench/truth/requirements.txt
	@python3 -m venv --clear .cache/truth
	@.cache/truth/bin/python -m pip --disable-pip-version-check install --quiet -r $<
	@touch $@

lint: ## Check formatting and run the static checks
	@unformatted=$$(find . -name '.?*' -prune -o -name '*.go' -print | xargs -r gofmt -l); \
	[[ -z $$unformatted ]] || { echo "not formatted, run gofmt -w on:" $$unformatted >&2; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; \
	else echo 'golangci-lint is not installed: its other checks are not made' >&2; fi
	@if command -v shellcheck >/dev/null; then shellcheck scripts/setup scripts/test-setup scripts/test-pythons scripts/sanitize scripts/scaling .ci/run; \
	else echo 'shellcheck is not installed: the shell scripts are not checked' >&2; fi

clean: ## Remove what these made: .venv, .venv-0.24, .cache and bin, but not results
	@scripts/setup --clean
	@rm -rf bin

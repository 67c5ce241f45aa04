# Sallyport. `make help` lists what there is; continuous integration calls
# these targets and nothing else.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

GO ?= go

# The linters, the program and its tests are compiled in one way. Else Caddy would
# be compiled once more for each; the race detector alone needs another way.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)

# go test, its output, and the names of skipped tests. Where CI is set no test
# may be skipped.
GOTEST := $(GO) test -json
TESTLOG = bin/testlog $(if $(CI),-no-skips)

# Everything but the tests of the whole program and the benchmarks.
PACKAGES = $$($(GO) list -e ./... | grep -v -e '/e2e$$' -e '/e2e/' -e '/bench$$' -e '/bench/')

, := ,
title = @printf '\n=== %s\n' "$(1)"

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: need-go
need-go:
	@build/need-go.sh

.PHONY: build
build: need-go ## build bin/sallyport
	@[ -x bin/sallyport ] || echo "The first build fetches and compiles Caddy: about five minutes on two cores. Later ones take seconds."
	$(GO) build -ldflags "-s -w" -o bin/sallyport ./cmd/sallyport

.PHONY: run
run: build ## start a demo on http://localhost:8080; its state is in ./.run/
	@./bin/sallyport demo

.PHONY: reset
reset: ## forget everything that `make run` has kept
	rm -rf .run

.PHONY: test
test: need-go test-tools check unit e2e ## run everything; installs what it needs

.PHONY: test-short
test-short: need-go bin/testlog ## run the tests that need no server and no browser
	$(GOTEST) -short -shuffle=on -timeout 10m $(PACKAGES) | bin/testlog

.PHONY: unit
unit: need-go bin/testlog ## run all tests but e2e, with the race detector
	$(call title,unit: all tests but e2e$(,) with the race detector)
	CGO_ENABLED=1 $(GOTEST) -race -shuffle=on -timeout 30m $(PACKAGES) | $(TESTLOG)

.PHONY: e2e
e2e: build bin/testlog ## run the built program against real servers and a browser
	$(call title,e2e: the built program)
	$(GOTEST) -count=1 -timeout 60m ./e2e/... | $(TESTLOG)

.PHONY: check
check: need-go ## run go vet, staticcheck, gofumpt, govulncheck, the repository's rules
	$(call title,check: linters$(,) vulnerabilities$(,) the repository's rules)
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@unformatted=$$($(GO) tool gofumpt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted (run 'make fmt'):"; echo "$$unformatted"; exit 1; fi
	build/check-vulnerabilities.sh
	$(GO) test -count=1 ./internal/repotest

.PHONY: fmt
fmt: need-go ## format the Go files
	$(GO) tool gofumpt -w .

# The tests of ./bench are measurements.
.PHONY: bench
bench: build bench-tools ## measure what Sallyport costs beside bare Caddy; writes bench/README.md
	$(GO) test -count=1 -v -timeout 180m ./bench -full

.PHONY: bench-quick
bench-quick: build bench-tools ## the same in less than three minutes; only prints
	$(GO) test -count=1 -v -timeout 10m ./bench -quick

.PHONY: bench-tools
bench-tools: need-go test-tools
	$(GO) build -ldflags "-s -w" -o bin/caddy ./bench/caddy
	$(GO) test -c -o bin/caddymodule.test ./caddymodule

.PHONY: screenshots
screenshots: need-go ## take pictures of every page, with every problem, into ./screenshots
	rm -rf screenshots
	$(GO) test -count=1 -timeout 20m ./pages -run TestScreenshots -screenshots $(CURDIR)/screenshots

.PHONY: cover
cover: need-go ## say how much of the code the tests reach; details in cover.html
	$(GO) test -coverpkg=./caddymodule/...,./internal/...,./pages/... -coverprofile=cover.out -timeout 20m $(PACKAGES)
	$(GO) tool cover -html=cover.out -o cover.html
	@$(GO) tool cover -func=cover.out | tail -n 1

.PHONY: test-tools
test-tools: ## install the servers and programs that the tests run (Debian, Ubuntu)
	@build/install-test-tools.sh

.PHONY: bin/testlog
bin/testlog: need-go
	@$(GO) build -o $@ ./build/testlog

.DEFAULT_GOAL := help
SHELL := /bin/bash
VERSION ?= 0.1.0
BIN := bin/pipe

.PHONY: help build demo test race bench lint docs cover clean

help: ## This list.
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/pipe.
	@command -v go >/dev/null || { echo "make: go is missing; install Go 1.26 or later from https://go.dev/dl" >&2; exit 1; }
	@command -v gcc >/dev/null || command -v cc >/dev/null || { echo "make: a C compiler is missing (DuckDB needs it); on Debian: apt-get install gcc g++" >&2; exit 1; }
	CGO_ENABLED=1 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN) .

demo: build ## Run the sample pipeline end to end in a directory of its own, and show what it made.
	@samples/demo.sh $(abspath $(BIN))

test: ## Start what the tests need, and run them all.
	@.ci/test

bench: ## Run the benchmarks.
	go test -run '^$$' -bench . -benchmem ./...

lint: ## Formatting, go vet, and golangci-lint where it is installed.
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "golangci-lint is not installed: skipped"; fi

docs: ## Write the generated reference pages.
	go run ./docs/generate

cover: ## Coverage of the engine.
	go test -coverprofile=coverage.out ./engine/... && go tool cover -func=coverage.out | tail -1

clean: ## Remove what was built and what the demo left.
	rm -rf bin coverage.out demo

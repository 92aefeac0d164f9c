# What a person types. CI types `.ci/run`, which is `make check` on a new machine.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.version=$(VERSION)
LINTER   := v2.15.0
FUZZTIME ?= 60s

.PHONY: run build clients test tour check lint mutants fuzz bench microbench

# The server with an embedded application database and a sample warehouse, in ./data.
run: build
	@bin/sluice serve --data data

build:
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/sluice ./cmd/sluice

# Published programs for Metabase's API, which an acceptance test runs.
clients:
	npm ci --prefix acceptance/testdata/clients --userconfig acceptance/testdata/clients/.npmrc

# bench is a module of its own; its test measures everything at small sizes.
# With the tag gateoff the attacks of testdata/leaks meet no gate, only what
# PostgreSQL and MariaDB hold by themselves.
test:
	@.ci/test ./...
	@.ci/test -tags gateoff -run 'TestNoAttackLeaks|WithoutTheGate' ./internal/api ./internal/gate
	@.ci/test -C bench ./...

# The README's tour, block by block, against a fresh server and a private
# PostgreSQL. It is one of the tests.
tour:
	@.ci/test -count=1 -run '^TestTheReadmesTourWorks$$' ./acceptance

# Everything that must hold before a change lands.
check: build test lint mutants
	@.ci/fuzz 10s

lint: bin/golangci-lint-$(LINTER)
	go vet ./...
	bin/golangci-lint-$(LINTER) run
	cd bench && go vet ./... && ../bin/golangci-lint-$(LINTER) run

bin/golangci-lint-$(LINTER):
	GOFLAGS= GOBIN=$(CURDIR)/bin/.install go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINTER)
	mv bin/.install/golangci-lint $@

# Small patches to lines that keep data safe; each must turn a test red.
mutants:
	@.ci/mutants

fuzz:
	@.ci/fuzz $(FUZZTIME)

# Measures what docs/performance.md promises and fails when something is missed.
# BENCH='-run change' measures less; BENCH='-write ../docs/performance.md' puts
# the table into the page.
bench:
	cd bench && go run . $(BENCH)

# Go's own benchmarks of single functions, which promise nothing.
microbench:
	go test -run '^$$' -bench . -benchmem ./...

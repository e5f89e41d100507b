# `make help` lists what there is. Tests run the development build, whose dependencies are optimised: one build less.
# They always name the whole workspace: cargo builds the dependencies anew for each set of packages it is asked for.
.DEFAULT_GOAL := help
.PHONY: help setup setup-test web build run fmt lint deny test unit e2e pictures schema load soak quality bench doc ci clean

# Node of the machine where it is new enough, else the one scripts/setup.sh brings.
export PATH := $(CURDIR)/.tools/bin:$(PATH)
export CARGO_TERM_COLOR ?= auto

help: ## show this
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## /\1\t/' | expand -t 14

setup: ## install what building and running need
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test

# Not the folder: one that was fetched by half is there too.
PACKAGES := web/node_modules/.fetched

$(PACKAGES): web/package-lock.json
	@echo "Fetching the web client's packages"
	@cd web && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.fetched

# Only what has changed is built again: debug builds read the client's files where they lie, and while they serve those stay.
BUILT := web/node_modules/.built

$(BUILT): $(PACKAGES) $(shell find web -name node_modules -prune -o -name dist -prune -o -type f ! -name '*.timestamp-*' -print) \
		$(if $(wildcard web/dist/index.html),,anew)
	@cd web && npm run --silent build && touch node_modules/.built

anew: # what there is not

web: setup $(PACKAGES) $(BUILT) ## build the web client

build: web ## build the server in release
	cargo build --release --locked -p huitong -p studio

run: build ## start one server with demo data in ./data (Ctrl-C stops it)
	@exec target/release/huitong serve --demo

fmt: $(PACKAGES) ## format everything
	cargo fmt
	cd web && npm run --silent format

lint: setup-test $(PACKAGES) ## formats, clippy, docs, licences, rows, web lint and types
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --locked --workspace --no-deps --document-private-items
	cd web && npm run --silent lint
	cargo test --locked --workspace --test tidy
	$(MAKE) deny

deny: ## licences, duplicate versions and sources of all dependencies
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check licenses bans sources; \
	else cargo test --locked --workspace --test dependencies; fi

test: unit e2e ## everything: what it needs is installed first

HARNESSES := allocations attack crowd dtls line lines malformed memory openssl quiet room_system speech subscriber
# Real pictures and sound in real time, which a busy machine spoils.
LIVE := broadcast rooms

unit: setup-test web ## units, pure harnesses, the web client's own tests
	cd web && npm test --silent
	cargo test --locked --workspace --lib --bins $(patsubst %,--test %,$(HARNESSES) $(LIVE))

E2E := cargo test --locked --workspace --test e2e -- --test-threads=1
# Their stories take little of a machine and bear a busy one, as those of browsers do not; pages of which neither sound nor pictures
# are measured are among the servers' and in a lane of their own.
TELEPHONES := calls carriers dial_out doctor encryption guessing heard keypad names phone redirects sip spray strangers tones transfer
SERVERS := access admin api authorization chat doors embed hands hosting keyboard limits lines operation pocket rebooked reminder sign_on spoken touch upkeep web webinar
PAGES := audience breakout devices livestreams push returning screens sharing taking_part troubles
LANES := $(TELEPHONES) $(SERVERS) $(PAGES)

e2e: setup-test web ## the real server with real phones and strangers; T=name picks one
	cargo build --locked --workspace --bins --tests
	$(E2E) $(T)

pictures: setup-test web ## the pictures of docs/, made anew: look at them
	cargo build --locked --workspace --bins --tests
	cargo test --locked --workspace --test e2e -- --ignored --test-threads=1 pictures

schema: ## the schemas of docs/reference anew, from the code: client protocol and REST
	cargo test --locked --workspace --lib -- --ignored write_schema

load: build setup-test ## how many bookings and participants this machine carries
	cargo build --locked --workspace --tests
	HUITONG_BIN=$(CURDIR)/target/release/huitong cargo test --locked --workspace --test e2e -- --ignored --nocapture --test-threads=1 load::

soak: build setup-test ## a quarter of an hour of calls (HUITONG_SOAK_S: seconds), and whether anything is left of them
	cargo build --locked --workspace --tests
	HUITONG_BIN=$(CURDIR)/target/release/huitong cargo test --locked --workspace --test e2e -- --ignored --nocapture --test-threads=1 soak::

quality: build setup-test ## what poor lines do to browsers' pictures, on a machine that does nothing else
	cargo build --locked --workspace --tests
	HUITONG_BIN=$(CURDIR)/target/release/huitong cargo test --locked --workspace --test e2e -- --ignored --nocapture --test-threads=1 quality::

bench: build ## this machine's figures
	cargo bench --locked --workspace --exclude tests
	target/release/huitong bench mixer

doc: ## the crates' documentation
	cargo doc --locked --workspace --no-deps --open

ci: setup-test web ## what CI runs: lint and units, built in the time that telephones, servers and pages leave, then broadcasts and browsers alone
	cargo build --locked --workspace --bins --test e2e
	@logs=$$(mktemp -d); \
	$(E2E) $(TELEPHONES:%=%::) >$$logs/telephones 2>&1 & telephones=$$!; \
	$(E2E) $(SERVERS:%=%::) >$$logs/servers 2>&1 & servers=$$!; \
	$(E2E) $(PAGES:%=%::) >$$logs/pages 2>&1 & pages=$$!; \
	nice -n 19 $(MAKE) lint unit LIVE=; own=$$?; \
	wait $$telephones; telephones=$$?; wait $$servers; servers=$$?; wait $$pages; pages=$$?; \
	cat $$logs/telephones $$logs/servers $$logs/pages; rm -r $$logs; \
	[ $$own = 0 ] && [ $$telephones = 0 ] && [ $$servers = 0 ] && [ $$pages = 0 ]
	cargo test --locked --workspace $(LIVE:%=--test %)
	$(E2E) $(foreach one,$(LANES),--skip $(one)::)

clean: ## forget all that was built
	rm -rf target web/dist web/node_modules .tools tests/.venv

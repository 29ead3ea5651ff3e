# make help says what there is. Recipes install the packages and cargo tools they need.
SHELL := /bin/bash
export PATH := $(CURDIR)/target/tools/bin:$(PATH)

T := $(or $(CARGO_TARGET_DIR),target)
VERSION := $(shell sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
ARCH = $(shell dpkg --print-architecture)
DEB = $(T)/debian/mfa_$(VERSION)-1_$(ARCH).deb
RPM = $(T)/generate-rpm/mfa-$(VERSION)-1.$(shell uname -m).rpm
# Times in the packages: that of the changelog's first entry, whenever they are built.
export SOURCE_DATE_EPOCH ?= $(shell dpkg-parsechangelog -l packaging/deb/changelog -S Timestamp)
PROGRAMS := $(addprefix $(T)/release/,libpam_mfa.so mfa-daemon mfa)

.PHONY: help demo record pictures test test-faults test-asan fuzz lint advisories fmt bench cost-of costs bench-params build man completions packages deb clean clean-images

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 14

demo: ## one real login in a throw-away container: enrolment, ssh, sudo, a refused replay
	@tests/prepare demo
	@$(MAKE) --no-print-directory deb
	@tests/demo/run $(DEB)

record: ## the same, recorded as docs/demo.txt and docs/demo.svg
	@tests/prepare demo
	@$(MAKE) --no-print-directory deb
	@tests/demo/record $(DEB)

pictures: ## what people see of mfa, from a real terminal, as docs/pictures/*.svg
	@tests/prepare demo
	@$(MAKE) --no-print-directory deb
	@tests/demo/pictures $(DEB)

test: ## lints, unit, property, integration and container tests
	@tests/prepare test
	@tests/run

test-faults: ## the faults that take longer, of docs/faults.md; at most half an hour
	@tests/prepare test-faults
	@tests/run-faults

test-asan: ## the PAM host tests with AddressSanitizer; part of test-faults
	@tests/prepare test-asan
	@tests/asan

fuzz: ## FUZZ_MINUTES (20) of processor time for each fuzz target, two at a time; docs/fuzzing.md
	@tests/prepare fuzz
	@tests/fuzz/run

lint: ## formatting, clippy, licences, shell scripts
	@tests/prepare test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --features mfa-tests/faults --locked -- -D warnings
	cargo deny --log-level error check bans licenses sources
	tests/named-tests
	tests/fault-table check
	shellcheck --severity=warning -x -P . packaging/{stage,package,compiler-flags} packaging/deb/{preinst,postinst,prerm,postrm} tests/packages tests/prepare tests/named-tests tests/asan tests/fuzz/run \
	  $$(grep -rlE '^#!.*(ba)?sh$$|shellcheck shell=' tests/containers tests/demo)

# Apart from lint: its result changes without a change here, and it fetches a database from GitHub.
advisories: ## known holes in the dependencies
	@tests/prepare test
	cargo deny --log-level error check advisories

fmt: ## formats the Rust sources
	cargo fmt --all

# BENCH="--only alone crowds", --strict, --quick: see tests/bench/__main__.py.
bench: ## against google_authenticator, pam_oath, OpenSSL and the limit; at most ten minutes
	@tests/prepare bench
	@python3 -B tests/bench $(BENCH)

# Whose instructions are counted: with the flags of the programs, for the same code.
cost-of: build
	RUSTFLAGS="$$(packaging/compiler-flags)" cargo build --release --locked --package mfa-tests --bin cost-of

costs: cost-of ## system calls and instructions of a login, written anew to tests/costs
	@tests/prepare test
	MFA_RENEW_COSTS=1 MFA_ARTIFACTS=$$(realpath $(T)/release) \
	  cargo test --locked --package mfa-tests --test system_calls --test instructions

bench-params: build ## safe primes against openssl dhparam; some five minutes
	@tests/bench-params

# The module is built by itself: otherwise features that only the daemon wants would enter it.
build: ## the three programs, release profile
	@tests/prepare build
	cargo fetch --quiet --locked
	RUSTFLAGS="$$(packaging/compiler-flags)" cargo build --release --locked --package pam_mfa
	RUSTFLAGS="$$(packaging/compiler-flags)" cargo build --release --locked --package mfa-daemon --package enroll-cli

$(PROGRAMS): build ;

# Not optimised: that would take longer than all that it does.
man: ## the manual pages, in target/man
	@tests/prepare build
	cargo run --locked --quiet --package mfa-man -- pages docs/man $(T)/man

completions: ## those of bash, zsh and fish, in target/completions
	@tests/prepare build
	cargo run --locked --quiet --package mfa-man -- completions $(T)/completions

packages: $(DEB) $(RPM) ## the Debian and the RPM package
	@echo $(DEB)
	@echo $(RPM)

deb: $(DEB) ## the Debian package alone
	@echo $(DEB)

PACKAGED := $(T)/release/package/stamp
$(PACKAGED): $(PROGRAMS) man completions LICENSE $(wildcard *.md docs/*.md docs/*/*.md packaging/* packaging/*/* packaging/*/*/*)
	@packaging/stage $(T)
	@touch $@

$(DEB): $(PACKAGED) mfa-daemon/Cargo.toml
	@packaging/package deb $@

$(RPM): $(PACKAGED) mfa-daemon/Cargo.toml
	@tests/prepare packages
	@packaging/package rpm $@

clean: ## what cargo built
	cargo clean

clean-images: ## the containers and images of the tests
	@tests/containers/clean

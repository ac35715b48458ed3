# What can be done with this folder. `make` alone prints this list.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check fmt generate bench kill-all judges

help:         ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

setup:        ## Install what building and testing need, beyond Rust and Node.js
	@scripts/setup --tests

demo:         ## Show everything on sample people; nothing outside this machine is contacted
	@scripts/setup
	@echo 'Building Rollcall; the first time takes some minutes.'
	@cargo build --package rollcall
	@cargo run --quiet --package rollcall -- demo

test:         ## Everything that is checked: lints, documents, tests on both databases, contracts, browser
	@scripts/setup --tests
	@node scripts/test.mjs

check:        ## The quick part of `make test`: format, lints, documentation, generated files, words
	@scripts/setup
	@node scripts/test.mjs --checks

fmt:          ## Format the code
	@cargo fmt --all

generate:     ## Write the generated files anew (openapi.json)
	@scripts/setup
	@scripts/generated --write

bench:        ## Measure 10,000 and 100,000 users on both databases, beside the floor, and what-if over them (release build, about 10 minutes)
	@scripts/setup --tests
	@scripts/bench

kill-all:     ## Kill and restart at 100 instants of each stage on both databases (about an hour)
	@scripts/setup --tests
	@ROLLCALL_KILL_POINTS=100 ROLLCALL_KILL_USERS=8000 cargo test --package rollcall --test kill -- --nocapture

judges:       ## Hold the simulator against Microsoft's own Python clients (msal, msgraph-sdk), in a venv
	@scripts/setup
	@tests/contracts/judges/run

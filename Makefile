# `make` alone lists the targets.
.DEFAULT_GOAL := help
PY := .venv/bin/python
PYTEST := .venv/bin/python -m pytest

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

reset: ## Remove the local stack's state, .local/ (asks; FORCE=1 does not)
	@python3 -m infra.local.reset

setup: ## What running needs (make run does it by itself)
	@infra/setup.sh run

setup-test: ## What testing needs (make test does it by itself)
	@infra/setup.sh test

setup-bench: ## What the benchmark needs (make bench does it by itself)
	@infra/setup.sh bench

run: setup ## The whole system on 127.0.0.1:8000 (PORT, ADMIN_API_KEY, API_KEY, PROVIDERS=fake)
	@exec $(PY) -m infra.local.run

demo: setup ## Bill the airlines of New York's airports for January 2013 (MONTHS=12 for the year)
	@$(PY) -m scripts.demo

test: setup-test ## All tests
	$(PYTEST) -n 2 --dist loadgroup

test-domain: setup ## The rules of billing alone, in seconds: a tenth of the examples, all of which make test tries
	EXAMPLES=$(or $(EXAMPLES),0.1) $(PYTEST) tests/domain

lint: setup ## Style and the arrows between rooms
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports --no-cache

types: setup ## mypy --strict
	.venv/bin/mypy

check: lint types test ## All that CI runs, in its order

fmt: setup ## Format
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

listen: setup ## Receive messages on PORT (9000), verify and print them (API_KEY= makes it an endpoint, ARGS=-v, KEEP=1)
	$(PY) -m scripts.listen $(ARGS)

webhook-docs: setup-test ## Write docs/webhooks.md anew, with examples from a run
	$(PY) -m scripts.webhook_docs

rooms: setup ## Draw the picture of the rooms in docs/architecture.md anew
	$(PY) -m scripts.rooms

routes: setup ## Write the table of the API's routes, chalicelib/api/routes.py, anew
	$(PY) -m scripts.routes

pictures: ## Draw the pictures of documents and of the console in docs/ anew
	@infra/setup.sh pictures
	@infra/setup.sh test
	$(PY) -m scripts.console_pictures
	$(PY) -m scripts.documents

bench: setup-bench ## Count requests and capacity units, profile metering, compare reading with databases
	$(PY) -m scripts.bench

package: setup ## Build build/package for CloudFormation
	$(PY) -m infra.package

deploy: package ## Deploy on AWS (STAGE=...)
	$(PY) -m infra.deploy

tasks: setup ## List parked tasks (ARM=1 lets them run again)
	$(PY) -m scripts.tasks

dead-letters: setup ## Look at dead letters (QUEUE=events REDRIVE=1 sends them again)
	$(PY) -m scripts.dead_letters

reset-link: setup ## Print a link to choose a new password, once and within an hour (EMAIL=, on AWS also PUBLIC_URL=)
	@$(PY) -m scripts.reset_link

audit: setup ## Recount raw events against their rows (ORGANIZATION=, SUBSCRIPTION= for less)
	$(PY) -m scripts.audit

rebuild: setup ## Make rows that differ anew from raw events, and audit again (ORGANIZATION=, SUBSCRIPTION= for less)
	REBUILD=1 $(PY) -m scripts.audit

export-events: setup ## Raw events of days as files in the bucket (ORGANIZATION= FROM=2024-03-01 TO=2024-03-31)
	$(PY) -m scripts.export_events

.PHONY: help setup setup-test run reset demo test test-domain lint types check fmt bench package deploy tasks dead-letters
.PHONY: setup-bench listen webhook-docs rooms routes pictures audit rebuild export-events reset-link

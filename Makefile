PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed
DATA ?= ../shared/data

.DEFAULT_GOAL := help
.PHONY: help setup run test lint fmt bench chaos up down logs e2e-compose locks audit sbom sizing demo-data starter constraints clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv, the cached hand landmarker model and the page's files

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, found " + sys.version.split()[0] + "; name one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/asl landmarker
	$(BIN)/asl page || echo 'Going on without the page.'
	@touch $@

run: setup ## Serve the API on 127.0.0.1:8000 and recognise a rendered sample
	$(BIN)/asl serve

test: setup ## Run every test but the long ones
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: setup ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup ## Format the code and mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Measure speed against floors taken in the same run
	$(BIN)/python tests/bench/bench_training.py
	$(BIN)/python tests/bench/bench_extraction.py
	$(BIN)/python tests/bench/bench_recognition.py
	$(BIN)/python tests/bench/bench_jobs.py
	$(BIN)/python tests/bench/bench_job_list.py
	$(BIN)/python tests/bench/bench_page.py

chaos: setup ## Kill, freeze, overload and feed damaged images to it, and account for each job
	ASL_CHAOS=long $(BIN)/pytest tests/chaos tests/e2e/test_guide.py tests/e2e/test_mutated_images.py tests/e2e/test_openapi.py

up: ## Build and start the full stack with Docker; secrets are made once, in .env
	@deploy/need-docker.sh
	deploy/make-env.sh .env
	CODE_VERSION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) docker compose up --detach --wait --build
	@echo "up; a key to call it with: docker compose exec gateway asl key create NAME"

down: ## Stop the full stack; its data stay
	docker compose down --remove-orphans

logs: ## Follow the full stack's logs
	docker compose logs --follow --tail 100

e2e-compose: setup ## Take the full stack down the whole road, and break its parts on the way (needs Docker)
	$(BIN)/pytest tests/compose

locks: setup ## Renew the images' locks, deploy/images/*.lock, for the versions of constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	deploy/images/lock.sh $(BIN)/uv

audit: setup ## Look all packages of the images up for known vulnerabilities; red where that cannot be done
	$(BIN)/python deploy/supply-chain/audit.py

sbom: setup ## List what each image holds, as CycloneDX files in build/sbom (with Debian's packages where Docker is there)
	$(BIN)/python deploy/supply-chain/sbom.py

sizing: setup ## Renew deploy/sizing.md for the rates of README's table
	$(BIN)/python deploy/sizing.py > /dev/null

demo-data: setup ## Render a small class-folder data set into data/demo
	$(BIN)/asl demo-data --output-dir data/demo

starter: setup ## Train the starter model anew on the data in $(DATA)
	$(BIN)/python deploy/starter/words.py
	$(BIN)/python deploy/starter/motion.py
	$(BIN)/python deploy/starter/build.py $(DATA)
	$(BIN)/python deploy/starter/coaching.py $(DATA)

constraints: ## Pin the newest versions that fit into constraints.txt
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' hatchling
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt

clean: ## Remove the environment and what tools have cached
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

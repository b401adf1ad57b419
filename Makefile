# `make demo` and `make test` do all the set-up they need; repeated runs skip what is done.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := build/demo
APT_PACKAGES := python3-venv qemu-system-arm dataset-fashion-mnist
# The firmware is compiled for the target and, against models of its hardware, for this computer.
FIRMWARE_PACKAGES := cmake gcc gcc-arm-none-eabi libc6-dev libnewlib-arm-none-eabi

# The HTML report is tested in a real browser.
BROWSER_PACKAGES := chromium chromium-driver

# Every command is a process of its own: without bytecode each compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: corpus demo docs faults test test-all lint setup apt clean

demo: setup
	@BIN=$(BIN) DEMO=$(DEMO) sh demo.sh

test test-all: APT_PACKAGES += $(FIRMWARE_PACKAGES) $(BROWSER_PACKAGES)

test: setup lint
	$(BIN)/pytest -m "not slow"

test-all: setup lint
	$(BIN)/pytest

# Every network of the corpus on every NPU in every memory mode; the table goes to build/corpus. About 20 minutes.
corpus: setup
	PYTHONPATH=tests $(BIN)/python -m corpus

# The documentation, into build/docs; every warning (a broken link, a reference to nothing) is an error.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Injects every fault of tests/faults and prints the table: injected, detected, clean.
faults: setup
	$(BIN)/python -m tests.faults

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: apt $(VENV)/.installed

# Asks dpkg first, so that a machine that has everything needs neither network nor root.
apt:
	@if command -v apt-get >/dev/null; then \
	  missing=; for package in $(APT_PACKAGES); do \
	    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	  done; \
	  if [ -n "$$missing" ]; then \
	    sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	    echo "installing$$missing"; \
	    $$sudo apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  fi; \
	else echo "no apt-get here: install by hand what \`deploy doctor\` names"; fi

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[tensorflow,tflm,charts,faces,dask,docs,dev]'
	touch $@

clean:
	rm -rf build dist *.egg-info

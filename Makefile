# `make demo` and `make test` do all the set-up they need; repeated runs skip what is done.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := build/demo
APT_PACKAGES := python3-venv qemu-system-arm dataset-fashion-mnist
# The NPU model's core is an extension of Python; without them NumPy computes the same, slowly.
APT_PACKAGES += gcc libc6-dev python3-dev
# The firmware is compiled for the target and, against models of its hardware, for this computer.
FIRMWARE_PACKAGES := cmake gcc-arm-none-eabi libnewlib-arm-none-eabi picolibc-arm-none-eabi

# The HTML report is tested in a real browser.
BROWSER_PACKAGES := chromium chromium-driver

# Every command is a process of its own: without bytecode each compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# The Pythons that have a lock file.
PYTHONS := 3.11 3.12 3.13

.PHONY: corpus demo dist docs faults hooks lint locks lowest schemas strength test test-all setup apt python clean
.NOTPARALLEL:

demo: setup
	@BIN=$(BIN) DEMO=$(DEMO) sh demo.sh

test test-all: APT_PACKAGES += $(FIRMWARE_PACKAGES) $(BROWSER_PACKAGES)
# What TAB completes is tried in the one, what pages pipe into the other is typed.
test-all: APT_PACKAGES += zsh jq

# One process a core, up to four (each may hold TensorFlow); a file's tests stay together, since they share what is
# costly to make. conftest.py orders them.
# OpenBLAS's threads begin with 25 ms of spinning each, in every process that imports NumPy.
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --maxprocesses 4

test: setup
	$(PYTEST) -m "not slow"

test-all: setup
	$(PYTEST)

# Every network of the corpus on every NPU in every memory mode; the table goes to build/corpus. About 20 minutes.
corpus: setup
	PYTHONPATH=tests $(BIN)/python -m corpus

# The documentation, into build/docs; every warning (a broken link, a reference to nothing) is an error.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The JSON Schemas of what --json writes, into docs/reference/schemas; the tests want them as the types say.
schemas: setup
	$(BIN)/python docs/hooks/answer_schemas.py

# The source distribution and the wheel of this machine, into dist/, and whether a registry would take them.
dist: setup
	rm -rf dist && $(BIN)/python -m build --outdir dist
	PATH="$(abspath $(BIN)):$$PATH" sh .ci/distributions dist

# Injects every fault of tests/faults and prints the table: injected, detected, clean.
faults: setup
	$(BIN)/python -m tests.faults

# What default runs find of flipped bits, lying simulators and injected faults; the tables go to build/strength.
# STRENGTH="--flips 200 --seed 2" tries other bits, "--earlier verdicts.json" looks for false alarms. About 15 minutes.
strength: APT_PACKAGES += $(FIRMWARE_PACKAGES)
strength: setup
	PYTHONPATH=tests $(BIN)/python -m strength $(STRENGTH)

# Apart from the tests: a newer checker, or newer stubs, stop whoever changes the code and not whoever uses it.
lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/shellcheck .ci/* .githooks/* .github/*/*.sh *.sh tests/*/*.sh
	$(CC) -std=c11 -Wall -Wextra -Wshadow -Werror -fsyntax-only -DPy_LIMITED_API=0x030B0000 \
	  -I$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_paths()["include"])') deploy/npu/core/*.c

# From now on git runs `make lint` before each commit.
hooks:
	git config core.hooksPath .githooks

# Newest versions that pyproject.toml allows into the lock files; what they bring is seen by `make lint test`.
locks: setup
	for version in $(PYTHONS); do \
	  $(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version $$version --generate-hashes \
	    --upgrade --quiet --custom-compile-command 'make locks' --output-file locks/python-$$version.txt || exit; \
	done

# The lowest versions that pyproject.toml allows, with the tests that need neither TensorFlow nor a machine.
lowest: setup
	rm -rf build/lowest && $(BIN)/python -m venv build/lowest
	$(BIN)/uv pip install --quiet --python build/lowest/bin/python --resolution lowest-direct -r pyproject.toml --all-extras
	$(BIN)/uv pip install --quiet --python build/lowest/bin/python --no-deps --no-build-isolation --editable .
	build/lowest/bin/python -m pytest -m "not (slow or system or browser or tensorflow)"

setup: apt python $(VENV)/.installed

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
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  fi; \
	else echo "no apt-get here: install by hand what \`deploy doctor\` names"; fi

# An environment of another Python than the one asked for is made anew.
python:
	@[ ! -e $(BIN)/python ] || [ "$$($(BIN)/python --version)" = "$$($(PYTHON) --version)" ] || rm -rf $(VENV)

# uv does the same in a tenth of the time, where it is there.
$(VENV)/.installed: pyproject.toml setup.py $(wildcard locks/*.txt) $(wildcard deploy/npu/core/*.[ch])
	@lock=locks/python-$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])').txt; \
	if ! [ -e $$lock ]; then \
	  echo "$$($(PYTHON) --version) has no lock file; there are some for: $(PYTHONS). Say make PYTHON=python3.13"; exit 2; \
	fi; \
	echo "setting up $(VENV) from $$lock"; \
	$(PYTHON) -m venv $(VENV) && \
	if uv --version >/dev/null 2>&1; then \
	  install="uv pip install --no-config --quiet --python $(BIN)/python"; \
	else \
	  install="$(BIN)/python -m pip install --quiet --disable-pip-version-check"; \
	fi && \
	$$install --require-hashes --requirement $$lock && \
	$$install --no-deps --no-build-isolation --editable .
	@touch $@

clean:
	rm -rf build dist *.egg-info

# For who works on the code. Who runs a lab wants ./lab.
PYTHON = .venv/bin/python
WORKERS ?= auto
BENCH = $(wildcard benchmarks)

.PHONY: help setup test check bench lock
help:
	@echo 'make setup   makes .venv from requirements.txt, every file checked against its hash (./lab does this by itself)'
	@echo 'make test    runs every test there is; what needs a tool this machine lacks is skipped and says so'
	@echo 'make check   judges form: ruff, pyright, import direction, shell scripts'
	@echo 'make bench   measures what has a budget'
	@echo 'make lock    pins requirements.in anew into requirements.txt (needs uv)'

setup:
	@sh tools/setup.sh

test: setup
	@$(PYTHON) -m pytest -n $(WORKERS) --dist loadscope

check: setup
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m pyright
	@$(PYTHON) -c 'from importlinter.cli import lint_imports_command as lint; lint()' --no-logo --no-cache
	@sh tools/shellcheck.sh

bench: setup
	@$(if $(BENCH),$(PYTHON) -m pytest benchmarks -p no:xdist,echo 'No benchmarks here yet.')

lock:
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    requirements.in --output-file requirements.txt

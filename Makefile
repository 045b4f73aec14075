# Two commands for a newcomer: `make demo` and `make test`. Every path is relative, so that a space in it does no harm.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed
# One process a core for the tests; WORKERS=0 runs all in one.
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: demo test test-all lint types imports unit coverage bench torture wheel clean

demo: $(STAMP)
	$(BIN)/python -m lightning_seq compare experiment=demo

test: lint types imports unit

# What takes longer: sequences of 20,000 steps, most DDP trainings, whole data sets, notebooks, the wheel. `make test` first.
test-all: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "slow and not network and not gpu"

lint: $(STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m codespell_lib *.md *.py benchmarks conf docs lightning_seq notebooks pipelines torture

types: $(STAMP)
	$(BIN)/python -m mypy

imports: $(STAMP)
	$(BIN)/python -c "from importlinter.cli import lint_imports_command as run; run()"

unit: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

coverage: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --cov --cov-report=term:skip-covered

bench: $(STAMP)
	$(BIN)/python benchmarks/word2vec.py
	$(BIN)/python benchmarks/padding.py
	$(BIN)/python benchmarks/engines.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/decoder.py

# KILLS at random times of each signal; PLACE, another directory than the system's for temporary files.
KILLS ?= 100
torture: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m torture $(KILLS) $(PLACE)
	OMP_NUM_THREADS=1 $(BIN)/python -m torture.comparison
	OMP_NUM_THREADS=1 $(BIN)/python -m torture.ddp_faults
	OMP_NUM_THREADS=1 $(BIN)/python -m torture.load
	OMP_NUM_THREADS=1 $(BIN)/python -m torture.malformed
	OMP_NUM_THREADS=1 $(BIN)/python -m torture.checkpoints
	OMP_NUM_THREADS=1 $(BIN)/python -m torture.shapes 2000
	OMP_NUM_THREADS=1 LIGHTNING_SEQ_FUZZ=500 $(BIN)/python -m pytest tests/test_fuzz.py

wheel: $(STAMP)
	$(BIN)/python -m hatchling build -t wheel

# Installed again when a requirement, the C code or the version has changed. An older pip needs --use-pep517 for some packages.
$(STAMP): pyproject.toml constraints.txt hatch_build.py lightning_seq/__init__.py $(wildcard lightning_seq/engines/csrc/*)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --use-pep517 -c constraints.txt -e ".[dev]"
	touch $(STAMP)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist

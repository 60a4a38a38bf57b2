# Everything a newcomer needs: `make sweep` and `make test`. Both install by themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# More flags for `make sweep`, for example: make sweep SWEEP_FLAGS="--subset 120 --seeds 2 --folds 2"
SWEEP_FLAGS ?=
# The sample: who wrote a tweet, 1,000 real ones of two authors. The packaged encoder stays frozen and
# runs once; 108 ways to train a linear classifier on it race over 4 seeds x 5 folds.
SWEEP := linear_grid --data election-tweets --subset 1000 --model minilm --name sample-sweep
# The same question by fine-tuning the whole encoder with SoftTriple, on 240 tweets: a learning rate,
# pooling and number of epochs that train a small encoder (the paper's 1e-5 is RoBERTa's).
SWEEP_FULL := softtriple --data election-tweets --subset 240 --model minilm --name sample-sweep-full \
	--seeds 2,16 --set k=10 --set gamma=0.1 --set lambda=3.3 --set delta=0.3 --set beta=0.5,0.7,0.9 \
	--fix learning_rate=5e-4 --fix epochs=2 --fix batch_size=32 --fix max_length=64 --fix pooling=mean

.PHONY: help sweep sweep-full test lint types bench faults guard wheel versions clean
help:
	@echo "make sweep   a small real sweep, two minutes: leaderboard, MLflow, report"
	@echo "make sweep-full  the same by fine-tuning the encoder with SoftTriple, ten minutes"
	@echo "make test    lint-free, typed and tested: the whole test suite"
	@echo "make bench   speed, as ratios measured in one run"
	@echo "make guard   the newest MLflow pip offers: are its tables still those written here?"
	@echo "make wheel   the wheel alone: installed, a sweep, a report, a job on a cluster"
	@echo "make versions  the lowest and the newest versions that pyproject.toml allows, tested"
	@echo "make faults  workers, drivers, servers and disks that fail, the long way"

$(VENV)/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else f"foldrace needs Python 3.11 or newer, found {v[0]}.{v[1]}: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade --constraint constraints.txt pip
	$(PIP) install --quiet --constraint constraints.txt --editable '.[sample]'
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(PIP) install --quiet --constraint constraints.txt --editable '.[sample,test]'
	@touch $@

sweep: $(VENV)/.run
	@$(BIN)/foldrace run $(SWEEP) --report report $(SWEEP_FLAGS)
	@echo 'Your own data: $(BIN)/foldrace run --data YOUR.csv' >&2

sweep-full: $(VENV)/.run
	$(BIN)/foldrace run $(SWEEP_FULL) --report report-full $(SWEEP_FLAGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest -q --durations=15 --numprocesses 3 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.test
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

bench: $(VENV)/.test
	$(BIN)/python -m pytest -q -s tests/benchmarks --override-ini 'python_files=bench_*.py' --timeout 3000

faults: $(VENV)/.test
	FOLDRACE_FAULTS=1 FOLDRACE_FUZZ_EXAMPLES=1500 $(BIN)/python -m pytest -q -s --durations=0 \
		tests/integration/execution tests/integration/commands \
		tests/integration/ledger/test_many_drivers.py tests/integration/ledger/test_flipped_bits.py \
		tests/integration/cluster/test_ray_up.py tests/integration/cluster/test_head_server.py \
		tests/integration/environments

guard: $(VENV)/.test
	$(BIN)/python tests/integration/ledger/newest_mlflow.py

wheel: $(VENV)/.test
	$(BIN)/python tests/integration/installation/walk.py

versions: $(VENV)/.test
	$(BIN)/python tests/integration/installation/try_versions.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

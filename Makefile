# One command each: `make demo` and `make test` set up everything they need in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed-from-lock

.PHONY: demo test test-fast coverage lint docs lab lock clean
.DEFAULT_GOAL := demo

# uv installs in seconds where it is there; venv and pip are everywhere. Compiled once here, or each
# kernel of a report would compile TensorFlow again where Python may not keep what it compiled.
# The lock is whole: pip that looked for dependencies beside it would take a newer release of one that
# is asked for with an extra, and then refuse it.
$(STAMP): requirements.lock pyproject.toml
	@set -e; if command -v uv >/dev/null 2>&1; then \
	  test -x $(BIN)/python || uv venv --python $(PYTHON) $(VENV); \
	  uv pip sync --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock; \
	  uv pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .; \
	else \
	  test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	  $(BIN)/python -m pip install --no-deps --require-hashes -r requirements.lock; \
	  $(BIN)/python -m pip install --no-deps --no-build-isolation --editable .; \
	fi
	@touch $@

demo: $(STAMP)
	$(BIN)/hotelviz demo --out reports

test: $(STAMP)
	$(BIN)/python -m pytest

test-fast: $(STAMP)
	$(BIN)/python -m pytest -m "not slow"

coverage: $(STAMP)
	$(BIN)/python -m pytest --cov=hotelviz --cov-report=term:skip-covered --cov-report=html

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy hotelviz
	$(BIN)/lint-imports

# Draws its own demo, runs the tutorials on it, and turns warnings into errors.
docs: $(STAMP)
	rm -rf docs/_build/html
	$(BIN)/python -m sphinx -E -W --keep-going -q -j 2 -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

lab: $(STAMP)
	$(BIN)/jupyter lab notebooks

# Pins every version for Python 3.11 to 3.13 on every platform, with hashes and without hosts.
lock: pyproject.toml
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command "make lock" --upgrade --output-file requirements.lock

clean:
	rm -rf $(VENV) reports/*.html reports/*.parquet reports/demo reports/data reports/models reports/scores reports/audit reports/figures docs/_build docs/api/generated

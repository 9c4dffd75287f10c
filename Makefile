# Every target sets up its own environment first; nothing happens there when nothing changed.
#   PYTHON=python3.11     the interpreter that the environment is made with
#   STACK=upstream        MMDetection 3.3.0 instead of its maintained continuation
#   MMCV_WHEELS=folder    take mmcv from this folder instead of compiling it
#   DEVICE=cpu            no CUDA although there is a GPU
#   TORCH_INDEX_URL=url   take torch from this package index
#   DATA=folder           demo: images of your own
#   TEST_JOBS=1           tests: processes that share them, as many as there are cores
#   PYTEST_ARGS, DEMO_ARGS, MATRIX_ARGS, WHEEL_DIR: passed on
PYTHON ?= python3
STACK ?= onedl
VENV ?= $(if $(filter onedl,$(STACK)),.venv,.venv-$(STACK))
WHEEL_DIR ?= dist
TEST_JOBS ?= auto
BIN := $(VENV)/bin
# A file's tests stay in one process: they share what its fixtures make.
PYTEST = $(BIN)/python -m pytest --numprocesses $(TEST_JOBS) --dist loadfile
export MMCV_WHEELS DEVICE TORCH_INDEX_URL

.DEFAULT_GOAL := help
.PHONY: help venv setup test test-slow test-all matrix lint format demo docs wheel clean

help:  ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18
	@sed -nE 's/^#   /  /p' $(firstword $(MAKEFILE_LIST))

venv:  ## Set up the environment in .venv
	@$(PYTHON) tools/dev/setup_env.py --venv $(VENV) --stack $(STACK)

setup: venv  ## The same as venv

test: lint  ## Check the code's form, and run the tests that take seconds
	$(PYTEST) -m 'not slow' $(PYTEST_ARGS)

test-slow: venv  ## Run the tests that train, which take minutes
	$(PYTEST) -m slow $(PYTEST_ARGS)

test-all: lint  ## The same with all tests, training runs included
	$(PYTEST) $(PYTEST_ARGS)

matrix:  ## Run make test's tests on both stacks and each Python that is here
	@$(PYTHON) tools/dev/matrix.py $(MATRIX_ARGS)

lint: venv  ## Check the code's form
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: venv  ## Bring the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: venv  ## Train without and with mining, and compare
	$(BIN)/python tools/demo.py $(if $(DATA),--data $(DATA)) $(DEMO_ARGS)

docs: venv  ## Build the site of the documents into site/; open site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

wheel: venv  ## Build the wheel into dist/
	rm -rf build
	$(BIN)/python -m pip wheel --no-deps --no-build-isolation --wheel-dir $(WHEEL_DIR) .

clean:  ## Remove what builds and tests left; environments and results stay
	rm -rf build dist site *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

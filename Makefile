# make demo: train a small world model and open demo/index.html     make test: everything that must hold
PYTHON ?= python3
BIN := .venv/bin
FILES := settings.ini setup.py pyproject.toml

.PHONY: demo test export docs clean

demo: .venv/installed
	$(BIN)/wm-demo --out demo $(ARGS)

test: .venv/installed-dev
	$(BIN)/python -m pytest -q -n 2 --dist loadfile $(ARGS)

export: .venv/installed-dev ## notebooks -> package and README
	$(BIN)/nbdev-export
	$(BIN)/python .ci/readme.py

docs: export ## needs Quarto
	$(BIN)/nbdev-docs

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3,11) else f"Python {v[0]}.{v[1]} found; expected 3.11 or later; run make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv

.venv/installed: $(FILES) | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

.venv/installed-dev: $(FILES) | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch .venv/installed $@

clean:
	rm -rf .venv build _proc _docs *.egg-info

# Everything one needs to know: make demo, make test, make check, make bench.
# Needs python3 (3.11 or newer), make and a package index; no root, no uv, no global pip.

PYTHON ?= python3
VENV   ?= .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip install --quiet --disable-pip-version-check
PYTEST ?=
JOBS   ?= 4

# What does not depend on the protocol
BEHAVIOUR := tests/seed tests/stages tests/faults tests/torture tests/runtime tests/test_bulk.py \
  tests/test_aio.py tests/test_both_ways.py tests/test_priority.py tests/test_websocket.py

# Whose test-suite gofer has to pass
REQUESTS := requests-2.34.2

.PHONY: help demo test test-http2 test-http3 interop stress requests-suite third-party check format bench clean

help:           ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*##/\t/'

demo: $(VENV)/.test  ## run the examples against a server of our own on loopback
	$(PY) examples/demo.py

test: $(VENV)/.test  ## the whole test suite; PYTEST='-k cookies -x' narrows it
	$(PY) -m pytest -q -n $(JOBS) $(PYTEST)

test-http2: $(VENV)/.test  ## the behaviour suite over HTTP/2, by either library
	$(PY) -m pytest -q -n $(JOBS) --h2 tests/network/test_http2.py tests/protocols/test_http2.py \
	  tests/faults/test_http2.py $(PYTEST)
	$(PY) -m pytest -q -n $(JOBS) --h2 --http2 $(BEHAVIOUR) $(PYTEST)
	$(PY) -m pytest -q -n $(JOBS) --http2 $(BEHAVIOUR) $(PYTEST)

test-http3: $(VENV)/.test  ## and over HTTP/3
	$(PY) -m pytest -q -n $(JOBS) --http3 $(BEHAVIOUR) $(PYTEST)

interop: $(VENV)/.interop  ## with servers and proxies of others, as far as they are installed
	$(PY) -m pytest -q -rs tests/interop $(PYTEST)

stress: $(VENV)/.interop  ## many at once on one session, a minute for each protocol
	GOFER_STRESS_SECONDS=60 $(PY) -m pytest -q -rsP tests/interop/test_stress.py $(PYTEST)

requests-suite: $(VENV)/.requests  ## Requests' own test-suite, with gofer in its place
	cd $(VENV)/$(REQUESTS) && PYTHONPATH=$(CURDIR)/tests:../suite $(abspath $(PY)) -m pytest -q \
	  -p requests_suite -n 2 --timeout 60 tests $(PYTEST)

third-party: $(VENV)/.third-party  ## other people's libraries and programs, on gofer
	PYTHONPATH=tests:$(VENV)/third-party $(PY) -m pytest -q -p on_gofer --timeout 60 \
	  tests/third_party $(PYTEST)

check: $(VENV)/.dev  ## format, lint, types, layers
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy --strict src tests/typing/api.py
	$(PY) -m pytest -q tests/test_layers.py

format: $(VENV)/.dev  ## write the format that `check` asks for
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

bench: $(VENV)/.test  ## speed, beside other clients (needs nginx; takes minutes)
	PYTHONPATH=src $(PY) benchmarks/run.py

clean:          ## remove the environment and what tools left
	rm -rf $(VENV) $(VENV)-boot build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Where python3-venv is missing (Debian ships it apart), virtualenv does the same from a folder of
# its own: `pip install --target` is allowed where a global install is not (PEP 668).
$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gofer needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  $(PYTHON) -m pip install --quiet --target $(VENV)-boot virtualenv && \
	  PYTHONPATH=$(VENV)-boot $(PYTHON) -m virtualenv --quiet $(VENV); }

$(VENV)/.test: $(PY) pyproject.toml
	$(PIP) -e '.[test]'
	touch $@

# What the suite stands on has a folder of its own: httpbin wants an older greenlet than gevent.
$(VENV)/.requests: $(VENV)/.test
	$(PIP) --target $(VENV)/suite 'httpbin~=0.10.2' 'pytest-httpbin==2.1.0' pytest-mock urllib3
	$(PY) -m pip download --quiet --no-deps --no-binary :all: --dest $(VENV) \
	  $(subst -,==,$(REQUESTS))
	tar -xzf $(VENV)/$(REQUESTS).tar.gz -C $(VENV)
	touch $@

$(VENV)/.interop: $(VENV)/.test
	$(PIP) --target $(VENV)/interop granian hypercorn
	touch $@

$(VENV)/.third-party: $(VENV)/.test
	$(PIP) --target $(VENV)/third-party betamax cachecontrol docker httpie hvac jira PyGithub \
	  python-gitlab requests-cache requests-futures requests-mock requests-oauthlib \
	  requests-toolbelt requests-unixsocket2 responses
	touch $@

$(VENV)/.dev: $(VENV)/.test
	$(PIP) -e '.[test,dev]'
	touch $@

# Needs python3.11 or newer; with a C compiler the engine is built from source. Every target sets up .venv by itself.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev

# Tests start interpreters by the thousand, each of which would compile flowcage anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run fast test test-thoroughly test-switches test-agents test-as-user lint types imports check bench generated clean

run: $(READY)
	$(BIN)/flowcage run examples/review.js --agent mock

# Tests that start no process and are no sweeps: under 20 s on two idle cores. For the others of a room: make test, or pytest and a file.
FAST := tests/protocol tests/outcome tests/tools/test_tree.py tests/terminal/test_text.py tests/agents/test_agents_spec.py \
	tests/agents/test_agents_instance.py tests/agents/test_agents_schema_plain.py tests/agents/test_redaction.py tests/agents/clis/test_claude_schema.py tests/process/test_allowance.py \
	tests/process/test_patience.py tests/process/test_proc_status.py tests/process/test_replies.py \
	tests/process/test_step_clock.py tests/run/test_core*.py tests/tenants/test_fair_queue_rules.py tests/tenants/test_scheduler.py \
	tests/tenants/test_tenants.py tests/escape/test_filter_rules.py tests/escape/test_system_call_numbers.py

fast: $(READY_DEV)
	$(BIN)/pytest --quiet --numprocesses=2 -m 'not thorough' --ignore=tests/protocol/test_schema_instances.py $(FAST)

test: $(READY_DEV)
	$(BIN)/pytest --numprocesses=auto --dist=worksteal -m 'not thorough'

# With the sweeps: every broken child and host of the conformance kit, attacks with one layer less, wheel and sdist in new environments.
test-thoroughly: $(READY_DEV)
	FLOWCAGE_FUZZ_EXAMPLES=100 $(BIN)/pytest --numprocesses=auto --dist=worksteal
	$(MAKE) test-switches

# The suites of whole runs with each switch of host/process/launch/switches.py off, and with all of them off at once.
SWITCHES := FLOWCAGE_TYPED_CODEC FLOWCAGE_JOINED_MESSAGES FLOWCAGE_SHORT_CUT FLOWCAGE_PREPARED_CAGES FLOWCAGE_IMMORTAL_OBJECTS FLOWCAGE_GATHERED_MEMORY
SWITCHED ?= $(addprefix tests/,child process run escape contract conformance resume)

test-switches: $(addprefix off/,$(SWITCHES)) off/all

off/all: $(READY_DEV)
	$(SWITCHES:%=%=0) $(BIN)/pytest --quiet --numprocesses=auto --dist=worksteal -m 'not thorough' $(SWITCHED)

off/%: $(READY_DEV)
	$*=0 $(BIN)/pytest --quiet --numprocesses=auto --dist=worksteal -m 'not thorough' $(SWITCHED)

# The real claude and codex, from PATH or FLOWCAGE_TEST_CLAUDE and FLOWCAGE_TEST_CODEX, against servers of ours on loopback ports.
test-agents: $(READY_DEV)
	FLOWCAGE_TEST_AGENTS=1 $(BIN)/pytest --numprocesses=2 -rs tests/agents/clis/test_real_programs.py tests/mcp/test_real_claude.py tests/mcp/test_real_codex.py \
		tests/e2e/test_skill_of_claude.py

# The tests that start and cage children, again as an ordinary user, for whom other code runs than for root.
test-as-user: $(READY_DEV)
	tests/as_user.sh $(BIN)/python -m pytest --numprocesses=auto --dist=worksteal tests/child/test_cage_*.py tests/child/test_checker.py tests/escape \
		tests/agents/test_agents_supervisor.py tests/process/test_launchers.py tests/process/test_prepared*.py tests/process/test_zygote.py tests/serve/test_serve.py \
		tests/serve/test_serve_peers.py tests/serve/test_serve_terms.py

# Generated files: forms of the schemas, tables of the pages, types and licence of the Node client.
generated: $(READY_DEV)
	$(BIN)/python -m tools

check: lint types imports

lint: $(READY_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY_DEV)
	$(BIN)/mypy
	$(BIN)/mypy tests tools bench examples/agents examples/embedding examples/service

imports: $(READY_DEV)
	$(BIN)/lint-imports

# Prints every table of docs/performance.md, in its order: half an hour on an idle machine. bench/report.py --write puts them into the page.
bench: $(READY_DEV)
	$(BIN)/pip install --quiet -e '.[bench]'
	$(BIN)/python bench/report.py

# The engine first, from source if there is a C compiler: that build is 2 to 3 times faster than the
# wheel. --no-cache-dir, because pip would otherwise take a wheel that it built or downloaded earlier.
$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo 'flowcage needs python3.11 or newer; set PYTHON=/path/to/it' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@if command -v $${CC:-cc} >/dev/null 2>&1; then \
		echo 'building quickjs-ng from source'; \
		$(BIN)/pip install --quiet --no-cache-dir --no-binary quickjs-ng 'quickjs-ng>=0.17,<0.18' \
			|| echo 'that failed; using the slower prebuilt wheel'; \
	fi
	$(BIN)/pip install --quiet -e .
	touch $@

$(READY_DEV): $(READY)
	$(BIN)/pip install --quiet -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

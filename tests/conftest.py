"""What every test of the child needs: a child."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from .child.child_process import ChildProcess
from .e2e import warm
from .host import zygote

# A shell without job control starts what runs in the background with SIGINT ignored, which all that we start
# here would inherit: tests that send one would then wait in vain.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples each time: whether a change may go in must not depend on luck. With more examples, others.
settings.register_profile("same examples", derandomize=True, database=None)
if "FLOWCAGE_FUZZ_EXAMPLES" not in os.environ:
    settings.load_profile("same examples")

# Where `flowcage run` keeps its runs, and finds settings: not those of whoever runs the tests. They choose
# mock, or else an agent program of this machine would answer, for money.
STATE = tempfile.mkdtemp(prefix="flowcage-tests-state-")
os.environ["XDG_STATE_HOME"], os.environ["XDG_CONFIG_HOME"] = STATE, f"{STATE}/config"
SETTINGS = Path(STATE, "config", "flowcage", "flowcage.toml")
SETTINGS.parent.mkdir(parents=True)
SETTINGS.write_text('agent = "mock"\n')

# Where children are forked from one zygote; and what executes them there all the same, because it counts
# processes, which must not see a zygote, or looks at what a child costs.
FORKING = {
    "child",
    "conformance/test_child_checks.py",
    "contract",
    "escape/test_javascript_attacks.py",
    "escape/test_lifecycle.py",
    "escape/test_wire_attacks.py",
    "fuzz",
    "process/test_hostile_child.py",
    "run",
    "tenants/test_shared_slots.py",
    "types",
}
EXECUTING = {
    "run/test_embedding.py",
    "run/test_faults_of_the_host.py",
    "run/test_live_run.py",
    "run/test_run.py",
}
# Where the command is forked from one that has everything imported: by a test's `flowcage()`; and wherever it
# is started, where no test is about what it does before it has read its words, or about its process.
COMMANDS = {"clients", "conformance", "types"}
ALL_COMMANDS = {
    *("asgi", "doors", "durable", "e2e", "mcp", "metrics", "page", "plan"),
    *("resume", "reuse", "rpc", "ui"),
}


@pytest.fixture
def child() -> Iterator[ChildProcess]:
    """A child that nobody has spoken to; it must leave with status 0 and a silent stderr."""
    with ChildProcess() as process:
        yield process


def pytest_runtest_setup(item: pytest.Item) -> None:
    path = item.path.relative_to(Path(__file__).parent)
    forks = path.parts[0] in FORKING or str(path) in FORKING
    zygote.have_one(forks and str(path) not in EXECUTING and sys.platform == "linux")
    everywhere = path.parts[0] in ALL_COMMANDS and item.get_closest_marker("executed") is None
    is_wanted = path.parts[0] in COMMANDS | ALL_COMMANDS and sys.platform == "linux"
    warm.have_one(is_wanted, everywhere=everywhere)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: tests wait, too."""
    return (os.cpu_count() or 1) + 1


def pytest_sessionfinish() -> None:
    zygote.have_one(False)
    warm.have_one(False)
    shutil.rmtree(STATE, ignore_errors=True)

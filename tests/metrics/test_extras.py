"""Optional libraries cost nothing when they are not used, and say what to install when they are not there."""

from __future__ import annotations

import subprocess
import sys

import pytest

EXTRAS = {
    "prometheus": "prometheus_client",
    "opentelemetry": "opentelemetry",
    "opentelemetry_metrics": "opentelemetry",
}


def python(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True
    ).stdout


def test_nothing_in_the_host_imports_an_optional_library() -> None:
    program = """
import pkgutil, sys, flowcage.host
for name in flowcage.host.__all__:
    getattr(flowcage.host, name)
for module in pkgutil.walk_packages(flowcage.host.__path__, "flowcage.host."):
    is_extra = module.name.rpartition(".")[2].startswith(("prometheus", "opentelemetry"))
    if not is_extra and not module.name.startswith("flowcage.host.cli.mcp."):  # its SDK imports them
        __import__(module.name)
print(len([name for name in sys.modules if name.startswith("flowcage.host.")]))
print([name for name in sys.modules if name.partition(".")[0] in ("prometheus_client", "opentelemetry")])
"""
    count, optional = python(program).splitlines()
    assert int(count) > 40
    assert optional == "[]"


@pytest.mark.parametrize(("module", "library"), EXTRAS.items())
def test_without_its_library_a_module_says_which_extra_to_install(module: str, library: str) -> None:
    program = f"""
import sys
sys.modules[{library!r}] = None
try:
    import flowcage.host.metrics.{module}
except ImportError as error:
    print(error)
import flowcage.host.tenants.host
"""
    assert f"pip install 'flowcage[{module.partition('_')[0]}]'" in python(program)

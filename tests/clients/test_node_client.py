"""The Node client: its own tests, and its types."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flowcage.schemas.loader import document

from ..types.conftest import install, locked
from .suites import CLIENTS, count, require, run

NODE = CLIENTS / "node"
# What index.d.ts takes from Node's own types, which are a package of their own.
NODE_TYPES = """
declare module 'node:stream' { export class Readable {} export class Writable {} }
declare module 'node:buffer' { export class Buffer extends Uint8Array {} }
"""
CONFIGURATION = {
    "compilerOptions": {
        "strict": True,
        "target": "es2022",
        "lib": ["es2023", "dom"],
        "types": [],
        "module": "nodenext",
        "noEmit": True,
    }
}


@pytest.mark.parametrize(
    "suite", ["run", "cases", "host", "host_faults", pytest.param("hostile", marks=pytest.mark.thorough)]
)
def test_the_clients_own_tests_pass(suite: str) -> None:
    node = require("node")
    report = run("node", node, "--test", "--test-reporter=tap", f"test/{suite}.test.js")
    assert count(r"^# pass (\d+)", report) > 15
    assert count(r"^# fail (\d+)", report) == 0


def test_npm_installs_the_folder(tmp_path: Path) -> None:
    node, npm = require("node"), require("npm")
    (tmp_path / "package.json").write_text('{"name": "embedder", "private": true, "type": "module"}')
    command = (npm, "install", "--offline", "--install-links", "--no-audit", "--no-fund", str(NODE))
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    program = "import * as flowcage from 'flowcage'; console.log(typeof flowcage.run)"
    said = subprocess.run(
        (node, "--input-type=module", "-e", program),
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=300,
    )
    assert said.stdout == b"function\n"
    assert not (tmp_path / "node_modules" / "flowcage" / "test").exists()


def test_the_types_compile_and_refuse_what_is_wrong(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    node = require("node")
    require("npm")
    assert pytestconfig.cache is not None
    cache = pytestconfig.cache.mkdir("typescript")
    with locked(cache / "lock"):
        install(cache)
    package = tmp_path / "node_modules" / "flowcage"
    package.mkdir(parents=True)
    for name in ("package.json", "index.d.ts", "host.d.ts", "wire.d.ts"):
        shutil.copy(NODE / name, package)
    shutil.copy(Path(__file__).parent / "uses.ts", tmp_path / "uses.mts")
    (tmp_path / "node.d.ts").write_text(NODE_TYPES, encoding="utf-8")
    (tmp_path / "tsconfig.json").write_text(json.dumps(CONFIGURATION), encoding="utf-8")
    compiler = cache / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        (node, str(compiler), "-p", str(tmp_path)), capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


EXAMPLES = re.findall(r"```js\n(.*?)```.*?```text\n(.*?)```", (NODE / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize(("program", "printed"), EXAMPLES, ids=["run", "host"])
def test_an_example_of_the_page_prints_what_it_says(program: str, printed: str) -> None:
    node = require("node")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    said = subprocess.run(
        (node, "--input-type=module", "-e", program.replace("'flowcage'", f"'{NODE.as_uri()}/index.js'")),
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (said.stdout, said.stderr) == (printed, "")


def test_a_host_takes_the_options_that_the_protocol_has() -> None:
    options = set(document("common", "host")["$defs"]["runOptions"]["properties"])
    (known,) = re.findall(r"RUN_OPTIONS = \[(.*?)\]", (NODE / "lib/host/options.js").read_text(), re.DOTALL)
    assert set(re.findall(r"\w+", known)) == options
    (typed,) = re.findall(
        r"interface HostRunOptions \{(.*?)\n\}", (NODE / "host.d.ts").read_text(), re.DOTALL
    )
    assert set(re.findall(r"^  (\w+)\?:", typed, re.MULTILINE)) == options

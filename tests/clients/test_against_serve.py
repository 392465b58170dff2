"""Both clients over ``flowcage serve``: the shipped example, and a child that is killed while they wait."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ..serve.test_serve import Server, serving
from .programs import BOTH, DEADLINE_SECONDS, Program
from .suites import CLIENTS

EXAMPLE = CLIENTS.parent / "examples" / "review.js"
NODE = """
import { readFileSync } from 'node:fs';
import { connect, run } from 'CLIENT/index.js';

const [, , socket, file, wait] = process.argv;
const answers = {
  review: { findings: [{ file: 'a.js', line: 1, problem: 'slow' }] },
  verify: { real: true },
  summary: 'in JavaScript',
};
const agent = async (prompt, { label }) => {
  if (wait) console.log('asked');
  return wait ? new Promise(() => {}) : answers[label.split(':')[0]];
};
try {
  const options = { transport: connect(socket), args: { change: 'x' }, agent };
  console.log(JSON.stringify((await run(readFileSync(file, 'utf8'), options)).result));
} catch (error) {
  console.log(error.name, error.childAlive);
}
"""
GO = """
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"flowcage.dev/flowcage"
)

func main() {
	source, _ := os.ReadFile(os.Args[2])
	agent := func(ctx context.Context, request flowcage.Request) (any, error) {
		if len(os.Args) > 3 {
			fmt.Println("asked")
			<-ctx.Done()
		}
		finding := map[string]any{"file": "a.go", "line": 1, "problem": "slow"}
		answers := map[string]any{
			"review":  map[string]any{"findings": []any{finding}},
			"verify":  map[string]any{"real": true},
			"summary": "in Go",
		}
		return answers[strings.Split(request.Options["label"].(string), ":")[0]], nil
	}
	args := map[string]string{"change": "x"}
	options := flowcage.Options{Transport: flowcage.Socket(os.Args[1]), Args: args, Agent: agent}
	outcome, err := flowcage.Run(context.Background(), string(source), options)
	var died *flowcage.ChildDied
	if errors.As(err, &died) {
		fmt.Println("ChildDied", died.ChildAlive())
	} else {
		fmt.Println(string(outcome.Result))
	}
}
"""


@pytest.fixture
def server() -> Iterator[Server]:
    """A real one."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "s") as running:
        yield running


@BOTH
def test_the_shipped_example_runs_with_agents_in_the_clients_language(
    program: Program, server: Server, tmp_path: Path
) -> None:
    command = [*program(tmp_path, NODE, GO), str(server.path), str(EXAMPLE)]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=DEADLINE_SECONDS, check=True)
    result = json.loads(done.stdout)
    assert result["real"] == len(result["findings"]) == 3
    assert result["summary"] in ("in JavaScript", "in Go")


@BOTH
def test_a_child_that_is_killed_is_a_typed_error(program: Program, server: Server, tmp_path: Path) -> None:
    command = [*program(tmp_path, NODE, GO), str(server.path), str(EXAMPLE), "wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "asked\n"
        caged = [process for process in server.children() if _is_caged(process)]
        assert caged
        for process in caged:
            process.kill()
        said, _ = client.communicate(timeout=DEADLINE_SECONDS)
    assert said.splitlines()[-1] == "ChildDied false"


def _is_caged(process: psutil.Process) -> bool:
    return "Seccomp:\t2" in Path(f"/proc/{process.pid}/status").read_text()

"""Both clients, judged by the conformance kit: as hosts, and as clients of the host protocol."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from flowcage.conformance.on_client import CLIENT_CHECKS
from flowcage.conformance.on_host import HOST_CHECKS

from ..e2e.command import KIT_DEADLINE, flowcage
from .programs import BOTH, Program

NODE = """
import { readFileSync } from 'node:fs';
import { run, spawnChild } from 'CLIENT/index.js';

const [, , child, file] = process.argv;
const options = {
  transport: spawnChild({ command: [child] }),
  isolation: 'none',
  agent: async () => 'ready',
  limits: { stepTimeoutMs: 1000 },
  answerGraceMs: 1000,
  timeoutMs: 20_000,
};
console.log(JSON.stringify((await run(readFileSync(file, 'utf8'), options)).result));
"""
GO = """
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"flowcage.dev/flowcage"
)

func main() {
	source, _ := os.ReadFile(os.Args[2])
	options := flowcage.Options{
		Transport: flowcage.Spawn{Command: []string{os.Args[1]}}, Isolation: "none",
		Agent: func(context.Context, flowcage.Request) (any, error) { return "ready", nil },
		Limits: flowcage.Limits{StepTimeoutMs: 1000}, AnswerGrace: time.Second, Timeout: 20 * time.Second,
	}
	outcome, err := flowcage.Run(context.Background(), string(source), options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(outcome.Result))
}
"""


NODE_CLIENT = """
import { readFileSync } from 'node:fs';
import { Host } from 'CLIENT/index.js';

const [, , command, file] = process.argv;
const host = await Host.open({ command: [command], agent: async () => 'ready' });
try {
  console.log(JSON.stringify((await host.run(readFileSync(file, 'utf8'))).result));
} finally {
  await host.close();
}
"""
GO_CLIENT = """
package main

import (
	"context"
	"fmt"
	"os"

	"flowcage.dev/flowcage"
)

func run() error {
	source, err := os.ReadFile(os.Args[2])
	if err != nil {
		return err
	}
	agent := func(context.Context, *flowcage.AgentCall) (*flowcage.AgentAnswer, error) {
		return &flowcage.AgentAnswer{Value: "ready"}, nil
	}
	options := flowcage.HostOptions{Command: []string{os.Args[1]}, Handlers: flowcage.Handlers{Agent: agent}}
	host, err := flowcage.OpenHost(context.Background(), options)
	if err != nil {
		return err
	}
	defer host.Close()
	outcome, err := host.Run(context.Background(), flowcage.Workflow{Source: string(source)})
	if err != nil {
		return err
	}
	fmt.Println(string(outcome.Result))
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
"""


# A good child, one that fails, one that breaks the contract and one that dies: how each language's host ends.
USUAL = (
    "host-replies",
    "host-outcomes/exception",
    "host-faults/wrong-shape",
    "host-faults/dies-in-drain-line",
)


USUAL_OF_CLIENTS = (
    "client-messages",
    "client-outcomes/failed",
    "client-outcomes/other-version",
    "client-faults/wrong-shape",
    "client-faults/dies-in-outcome",
)


def passed(command: list[str], *only: str, kind: str = "--host") -> str:
    finished = flowcage(
        "conformance", kind, shlex.join(command), "--timeout", "100", *only, deadline=KIT_DEADLINE
    )
    *lines, total = finished.stdout.splitlines()
    assert [line for line in lines if not line.startswith("ok ")] == []
    assert total == f"{len(lines)} checks, {len(lines)} passed, 0 failed"
    return total


@BOTH
@pytest.mark.parametrize("only", USUAL)
def test_a_host_in_the_clients_language_passes_some_checks(
    program: Program, only: str, tmp_path: Path
) -> None:
    passed([*program(tmp_path, NODE, GO), "{child}", "{workflow}"], "--only", only)


@pytest.mark.thorough
@BOTH
def test_a_host_in_the_clients_language_passes_the_kit(program: Program, tmp_path: Path) -> None:
    total = passed([*program(tmp_path, NODE, GO), "{child}", "{workflow}"])
    assert total.startswith(f"{len(HOST_CHECKS.checks)} checks, ")


@BOTH
@pytest.mark.parametrize("only", USUAL_OF_CLIENTS)
def test_a_client_of_the_host_protocol_passes_some_checks(
    program: Program, only: str, tmp_path: Path
) -> None:
    command = [*program(tmp_path, NODE_CLIENT, GO_CLIENT), "{host}", "{workflow}"]
    passed(command, "--only", only, kind="--client")


@pytest.mark.thorough
@BOTH
def test_a_client_of_the_host_protocol_passes_the_kit(program: Program, tmp_path: Path) -> None:
    total = passed([*program(tmp_path, NODE_CLIENT, GO_CLIENT), "{host}", "{workflow}"], kind="--client")
    assert total.startswith(f"{len(CLIENT_CHECKS.checks)} checks, ")

"""Programs that use a `Host` of each client, judged by the conformance kit as clients."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from flowcage.conformance.on_client import CLIENT_CHECKS

from ..e2e.command import KIT_DEADLINE, flowcage
from .programs import BOTH, Program

NODE = """
import { readFileSync } from 'node:fs';
import { Host } from 'CLIENT/index.js';

const [, , command, file] = process.argv;
const host = await Host.open({ command: [command], agent: async () => 'ready' });
try {
  const { result } = await host.run(readFileSync(file, 'utf8'), { signal: AbortSignal.timeout(20_000) });
  console.log(JSON.stringify(result));
} finally {
  await host.close({ graceMs: 1000 });
}
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
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	result, err := run(ctx, os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(result)
}

func run(ctx context.Context, command, file string) (string, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	options := flowcage.HostOptions{Command: []string{command}, CloseGrace: time.Second}
	options.Handlers.Agent = func(context.Context, *flowcage.AgentCall) (*flowcage.AgentAnswer, error) {
		return &flowcage.AgentAnswer{Value: "ready"}, nil
	}
	host, err := flowcage.OpenHost(ctx, options)
	if err != nil {
		return "", err
	}
	defer host.Close()
	outcome, err := host.Run(ctx, flowcage.Workflow{Source: string(source)})
	if err != nil {
		return "", err
	}
	return string(outcome.Result), nil
}
"""


# A good host, one whose run fails, one that breaks the protocol and one that dies.
USUAL = (
    "client-messages",
    "client-outcomes/failed",
    "client-faults/wrong-shape",
    "client-faults/dies-in-outcome",
)


def passed(command: list[str], *only: str) -> str:
    finished = flowcage(
        "conformance", "--client", shlex.join(command), "--timeout", "100", *only, deadline=KIT_DEADLINE
    )
    *lines, total = finished.stdout.splitlines()
    assert [line for line in lines if not line.startswith("ok ")] == []
    assert total == f"{len(lines)} checks, {len(lines)} passed, 0 failed"
    return total


@BOTH
@pytest.mark.parametrize("only", USUAL)
def test_a_program_in_the_clients_language_passes_some_checks(
    program: Program, only: str, tmp_path: Path
) -> None:
    passed([*program(tmp_path, NODE, GO), "{host}", "{workflow}"], "--only", only)


@pytest.mark.thorough
@BOTH
def test_a_program_in_the_clients_language_passes_the_kit(program: Program, tmp_path: Path) -> None:
    total = passed([*program(tmp_path, NODE, GO), "{host}", "{workflow}"])
    assert total.startswith(f"{len(CLIENT_CHECKS.checks)} checks, ")

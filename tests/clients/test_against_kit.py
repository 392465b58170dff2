"""Both clients as hosts, judged by the conformance kit: they pass every check of a host."""

from __future__ import annotations

import shlex
from pathlib import Path

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
  limits: { stepTimeoutMs: 4000 },
  answerGraceMs: 1000,
  timeoutMs: 15_000,
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
		Limits: flowcage.Limits{StepTimeoutMs: 4000}, AnswerGrace: time.Second, Timeout: 15 * time.Second,
	}
	outcome, err := flowcage.Run(context.Background(), string(source), options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(outcome.Result))
}
"""


@BOTH
def test_a_host_in_the_clients_language_passes_the_kit(program: Program, tmp_path: Path) -> None:
    command = [*program(tmp_path, NODE, GO), "{child}", "{workflow}"]
    finished = flowcage("conformance", "--host", shlex.join(command), deadline=KIT_DEADLINE)
    failed = [line for line in finished.stdout.splitlines() if not line.startswith("ok ")]
    assert failed == [f"{len(HOST_CHECKS.checks)} checks, {len(HOST_CHECKS.checks)} passed, 0 failed"]

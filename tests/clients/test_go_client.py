"""The Go client: its own tests, and what gofmt and vet say of it."""

from __future__ import annotations

from .suites import require, run


def test_the_clients_own_tests_pass() -> None:
    go = require("go")
    report = run("go", go, "test", "-count=1", "-v", "./...")
    assert report.count("\n    --- PASS") > 80
    assert "--- SKIP" not in report


def test_the_code_is_formatted_and_vetted() -> None:
    go, gofmt = require("go"), require("gofmt")
    assert run("go", gofmt, "-l", ".") == ""
    run("go", go, "vet", "./...")

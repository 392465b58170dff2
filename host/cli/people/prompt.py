"""Questions of a workflow on the terminal of ``flowcage run`` and ``flowcage resume``.

One question is shown at a time. Nothing here blocks: stdin is read once the terminal has a line, and an
answer that comes from elsewhere meanwhile cancels the prompt. A program in the background must not read from
its terminal, or the kernel stops it; it waits until it is in the foreground.

Where a table is drawn, it and what would be told wait for the answer: they would come in the middle of what
is being typed.
"""

from __future__ import annotations

import os
import sys
import termios
from contextlib import suppress

import trio

from flowcage.host.agents.people import AskHandler, Question
from flowcage.host.outcome.errors import RequestRejected
from flowcage.host.terminal.text import cut, held, indented, is_interactive, tell, tell_through
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# Shown of what a workflow wrote; the rest is behind `flowcage show`.
_MOST_OPTIONS = 50
_MOST_OF_LABEL = 200
_READ_AT_ONCE = 64 * 1024
_BACKGROUND_SECONDS = 0.5


def prompt(*, is_wanted: bool, is_kept: bool) -> AskHandler | None:
    """What asks the person at the terminal; None where there is none, or none is wanted.

    Args:
        is_wanted: by ``--no-prompt``.
        is_kept: whether the run waits for an answer from elsewhere where there is none here.
    """
    if not is_wanted or not is_interactive() or sys.stdin is None or not sys.stdin.isatty():
        return None
    return _Prompt(sys.stdin.fileno(), is_kept).ask


class _Prompt:
    def __init__(self, stdin: int, is_kept: bool) -> None:
        self._stdin = stdin
        self._is_kept = is_kept
        self._turn = trio.Lock()
        self._typed = b""

    async def ask(self, question: Question) -> Json:
        """Ask until there is an answer that can be read."""
        async with self._turn:
            with held(), suppress(EOFError):
                return await self._ask(question)
        if not self._is_kept:
            raise RequestRejected("nobody has answered: the terminal's input has ended")
        tell(f"   answer it with: flowcage answer {question.run_id} {question.id} JSON")
        await trio.sleep_forever()
        raise AssertionError

    async def _ask(self, question: Question) -> Json:
        if question.problem is None:
            self._show(question)
            self._forget()
        else:
            tell_through(indented(f"   !! {question.problem}"))
        while True:
            tell_through(f"   {_how(question)}")
            line = await self._line()
            if line is None:
                raise EOFError
            try:
                return _read(question, line)
            except ValueError as error:
                tell_through(indented(f"   !! {error}"))

    def _show(self, question: Question) -> None:
        name = f" {cut(question.label, _MOST_OF_LABEL)}" if question.label else ""
        tell_through(indented(f"?? question {question.id}{name}: {question.question}"))
        for number, option in enumerate(question.options[:_MOST_OPTIONS], 1):
            tell_through(indented(f"   {number}) {cut(option.label, _MOST_OF_LABEL)}"))
        if len(question.options) > _MOST_OPTIONS:
            tell_through(f"   … {len(question.options) - _MOST_OPTIONS} more")

    def _forget(self) -> None:
        """What was typed before a question was shown is no answer to it."""
        self._typed = b""
        if self._is_in_foreground():
            termios.tcflush(self._stdin, termios.TCIFLUSH)

    async def _line(self) -> str | None:
        """The next line; None where there will be none."""
        while b"\n" not in self._typed:
            await trio.lowlevel.wait_readable(self._stdin)
            if not self._is_in_foreground():
                await trio.sleep(_BACKGROUND_SECONDS)
                continue
            try:
                data = os.read(self._stdin, _READ_AT_ONCE)
            except OSError:  # the terminal is gone
                return None
            if not data:
                return None
            self._typed += data
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode(errors="replace")

    def _is_in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._stdin) == os.getpgrp()
        except OSError:  # it is not the terminal that controls this process, so nothing stops it
            return True


def _read(question: Question, line: str) -> Json:
    typed = line.strip()
    if typed.isascii() and typed.isdigit() and typed not in {option.label for option in question.options}:
        for number, option in enumerate(question.options, 1):
            if typed == str(number):
                return option.value
    if not typed:
        raise ValueError('nothing was typed; for an empty text type ""')
    return question.read(typed)


def _how(question: Question) -> str:
    if question.options:
        return f"type a number from 1 to {len(question.options)}, or JSON:"
    if question.takes_text:
        return "type an answer, as text or JSON:"
    return f"type JSON that fits {cut(strictjson.dumps_ascii(question.schema), 200)}:"

"""``flowcage answer``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, fail, say
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.inputs.texts import Text, file_of, text_of
from flowcage.host.cli.runs import access
from flowcage.host.durable.address import StorePlace

if TYPE_CHECKING:
    from flowcage.host.agents.people import Question
    from flowcage.host.durable.store import Store
    from flowcage.protocol.messages import Json

_MOST_BYTES = 64 * 1024 * 1024  # of a file; what a run takes is less, and its own limit


@click.command(cls=Command)
@access.RUN
@click.argument("words", nargs=-1, metavar="[REQUEST] ANSWER")
@click.option("--reject", type=Text(), metavar="MESSAGE",
              help="Give no answer: in the workflow, ask() rejects with this text.")  # fmt: skip
@access.STORE
def answer(run: str, words: tuple[str, ...], reject: str | None, store: StorePlace | None) -> None:
    """Answer a question of RUN: an id, the beginning of one, or @last.

    REQUEST is the question's, as flowcage show has it; it may be left out where RUN asks one only. ANSWER is
    JSON, the label of one of the question's options, or text where the question takes text; @FILE reads a
    file, - stdin, and @@ begins a text that begins with @. The first answer counts. A run that is not at
    work takes it in when it goes on.
    """
    from flowcage.host.agents.errors import AgentError
    from flowcage.host.resume.questions import AnswerDoesNotFit, QuestionNotOpen
    from flowcage.protocol import strictjson

    wanted = 0 if reject is not None else 1
    if not wanted <= len(words) <= wanted + 1:
        given = "REQUEST" if wanted == 0 else "an answer, and before it the REQUEST if there are several"
        fail(exits.USAGE, f"give RUN and {given}" + ("" if words or wanted == 0 else ", or --reject MESSAGE"))
    request = words[0] if len(words) > wanted else None
    typed = None if reject is not None else _typed(words[-1])
    try:
        told = access.write(store, lambda opened: _given(opened, run, request, typed, reject or ""))
    except (QuestionNotOpen, AnswerDoesNotFit, AgentError) as refused:
        access.refuse(refused)
    say(strictjson.dumps(told))


async def _given(
    store: Store, run: str, request: str | None, typed: str | None, message: str
) -> dict[str, Any]:
    from flowcage.host.resume import questions

    run_id = await store.find(run)
    question, most = await questions.find_question(store, run_id, request)
    told: dict[str, Any] = {"runId": run_id, "request": question.id}
    if typed is None:
        await questions.reject(store, question, message)
        return told | {"rejected": message}
    value = _value(question, typed)
    await questions.answer(store, question, value, most)
    return told | {"answer": value}


def _value(question: Question, typed: str) -> Json:
    from flowcage.host.resume.questions import AnswerDoesNotFit

    try:
        return question.read(typed)
    except ValueError as error:
        raise AnswerDoesNotFit(question.id, str(error)) from None


def _typed(word: str) -> str:
    """The answer, typed or in the file that the word names, whose last line ends."""
    try:
        text = text_of(InputFiles({}), "ANSWER", word, _MOST_BYTES)
    except InputError as error:
        fail(exits.USAGE, str(error))
    return text if file_of(word) is None else text.removesuffix("\n")

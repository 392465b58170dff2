"""Runs as resources: the page document, its report as Markdown, and the whole result."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import trio

from flowcage.host.cli.mcp.desk import Desk
from flowcage.host.page.formats.markdown import markdown
from flowcage.host.resume.looking.details import details_of
from flowcage.host.ui.api import looking
from flowcage.host.ui.api.problems import Problem
from flowcage.protocol import strictjson

MOST = 4 * 1024 * 1024  # characters
_URI = re.compile(r"flowcage://runs/([A-Za-z0-9._-]{1,100})(/report|/result|/calls/(.{1,200}))?")


class Form(NamedTuple):
    """What can be had of each run, by the end of its address."""

    name: str
    description: str
    kind: str


FORMS = {
    "": Form("run", "A run's page document.", "application/json"),
    "/report": Form("report", "A run's report.", "text/markdown"),
    "/result": Form("result", "A run's whole result.", "application/json"),
    "/calls/{call}": Form("call", "A call with all of its texts.", "application/json"),
}


async def read(desk: Desk, uri: str) -> tuple[str, str]:
    """A resource's text and its media type. Raises `Problem`, and what `problem_of` knows."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise Problem(404, f"no such resource; there are {', '.join(map(_template, FORMS))}")
    run_id, part, call = found[1], found[2] or "", found[3]
    if call is not None:
        text = strictjson.dumps(await looking.call_of(desk.runs, run_id, call))
    else:
        text = await (_result(desk, run_id) if part == "/result" else _document(desk, run_id, part))
    if len(text) > MOST:
        raise Problem(
            413, f"{len(text):,} characters, more than {MOST:,}; flowcage report {run_id} writes it"
        )
    return text, FORMS["/report"].kind if part == "/report" else FORMS[""].kind


async def _document(desk: Desk, run_id: str, part: str) -> str:
    form: Callable[[Any], str] = markdown if part else strictjson.dumps
    document = await looking.document_of(desk.runs, desk.sources, run_id)
    return await trio.to_thread.run_sync(form, document)


async def _result(desk: Desk, run_id: str) -> str:
    details = await details_of(desk.runs.store, run_id, desk.runs.tenant)
    return strictjson.dumps(details.result)


def _template(part: str) -> str:
    return f"flowcage://runs/{{run}}{part}"


TEMPLATES = {_template(part): form for part, form in FORMS.items()}

"""The child as a later version might be: it knows the limit, the request and the version of `later`.

To be run by `later`. Workflows find ``fetchPage(url)``, which asks with the new request and is bounded by the
new limit. Each drain has the member ``pages``: how many were asked for since the last one.
"""

from __future__ import annotations

from typing import Any

from flowcage.child import run
from flowcage.child.__main__ import main
from flowcage.child.sandbox import prelude_source
from flowcage.child.sandbox.replay import execution

_GLOBAL = b"""
let pages = 0;
let pagesInAll = 0;
const fetchPage = (url) => {
  if (pagesInAll >= limits.maxPages) fail('limit', `more than maxPages (${limits.maxPages})`);
  pages += 1;
  pagesInAll += 1;
  return issue('fetch', `,"url":${encode(url)}`);
};
bridge.takePages = () => {
  const text = `${pages}`;
  pages = 0;
  return text;
};
lock(globalThis, 'fetchPage', freeze(fetchPage));
return bridge;
"""

prelude_source.PRELUDE = prelude_source.PRELUDE.replace(b"return bridge;", _GLOBAL)


class LaterExecution(execution.Replaying):
    """One with a member more in its drains."""

    def _usual_drain(self) -> str:
        return ""  # the prelude's own report has no member more

    def _drain_state(self) -> str:
        return f'"pages":{self._hand_out("takePages")},{super()._drain_state()}'


_run: Any = run
_run.Replaying = LaterExecution
main()

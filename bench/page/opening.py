"""The page of a run with many agents in Chromium: how long it takes to open, and its longest frame.

``python bench/page/opening.py [--agents 1000] [--html FILE] [--trace FILE]``. The page is a made-up run's, or
the file of ``flowcage report RUN -o FILE``. Figures are from the browser's own trace, in milliseconds:

- open: from the navigation to the frame that shows the overview, then to the frame that shows the calls;
- cpu: processor time of the page's process by then, about 0.1 s of which it takes to start;
- frame: the longest time between two frames while the list of calls is scrolled to its end and back by a
  gesture, and how many of them took longer than 50 ms;
- task: the longest task of the page's thread meanwhile, by its processor time, which other programs on this
  machine do not lengthen.

The page may take one second to open, and 50 ms for a frame, on two cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2]))

from flowcage.host.page.html import assemble
from tests.page.browser.documents import document

CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
CHROMIUM = "chromium", "chromium-browser", "google-chrome"
MOST_MS = {"open": 1000.0, "frame": 50.0}
# Resolves when the frame is done that shows what has been drawn until now.
_SHOWN = "() => new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"


def main() -> None:
    """Measure, print, and fail where a figure is beyond its bound."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = options.html or Path(folder, "run.html")
        if options.html is None:
            file.write_text(assemble(document(options.agents)), "utf-8")
        browser = playwright.chromium.launch(executable_path=_chromium())
        runs = [_measure(browser, file.resolve(), options.trace) for _ in range(options.times)]
        browser.close()
        size = file.stat().st_size / 1e6
    best = {name: min(each[name] for each in runs) for name in runs[0]}
    print(f"a file of {size:.1f} MB, best of {options.times}, milliseconds")
    print(json.dumps(runs, indent=1) if options.json else _table(best))
    sys.exit(best["open"] > MOST_MS["open"] or best["frame"] > MOST_MS["frame"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--html", type=Path)
    parser.add_argument("--trace", type=Path, help="writes the last trace, for chrome://tracing")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _chromium() -> str:
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    return found or sys.exit("no Chromium in PATH")


def _measure(browser: Browser, file: Path, trace: Path | None) -> dict[str, float]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(file.as_uri())
    opened = page.evaluate(_SHOWN)
    calls = page.evaluate(
        f"{{ const at = performance.now(); location.hash = 'calls'; ({_SHOWN})().then(end => end - at) }}"
    )
    used = _processor_ms(page)
    gestures = [_scrolled(browser, page, sign, trace) for sign in (-1, 1)]
    page.close()
    frames = [gap for each in gestures for gap in each.frames]
    return {
        "open": opened,
        "calls": calls,
        "cpu": used,
        "frame": max(frames),
        "frames": len(frames),
        "long": sum(gap > MOST_MS["frame"] for gap in frames),
        "task": max(task for each in gestures for task in each.tasks),
    }


def _processor_ms(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * next(float(each["value"]) for each in metrics if each["name"] == "ProcessTime")


class Scrolled(NamedTuple):
    """Milliseconds between frames, and of processor time of the page's tasks."""

    frames: list[float]
    tasks: list[float]


def _scrolled(browser: Browser, page: Page, sign: int, trace: Path | None) -> Scrolled:
    session = page.context.new_cdp_session(page)
    height = page.locator(".list.calls").evaluate("list => list.scrollHeight")
    browser.start_tracing(page=page, path=trace, categories=CATEGORIES)
    gesture = {"x": 600, "y": 500, "yDistance": sign * height, "speed": 12_000, "gestureSourceType": "mouse"}
    session.send("Input.synthesizeScrollGesture", gesture)
    return _read(json.loads(browser.stop_tracing())["traceEvents"])


def _read(events: list[dict[str, Any]]) -> Scrolled:
    scrolls = [each for each in events if each["name"] == "EventDispatch" and _is_scroll(each)]
    begin, thread = min(each["ts"] for each in scrolls), scrolls[0]["tid"]
    shown = [each["ts"] for each in events if each["name"] == "AnimationFrame::Presentation"]
    shown = sorted(at for at in shown if at >= begin)
    gaps = [(after - before) / 1000 for before, after in pairwise(shown)]
    tasks = [each["tdur"] / 1000 for each in events if each["tid"] == thread and _is_task(each)]
    return Scrolled(gaps, tasks)


def _is_scroll(event: dict[str, Any]) -> bool:
    return bool(event["args"].get("data", {}).get("type") == "scroll")


def _is_task(event: dict[str, Any]) -> bool:
    return event["name"] == "RunTask" and "tdur" in event


def _table(figures: dict[str, float]) -> str:
    return "\n".join(f"{name:>8} {value:8.1f}" for name, value in figures.items())


if __name__ == "__main__":
    main()

"""A workflow as a drawing in SVG, without scripts, links and anything that is loaded.

Colours are CSS variables, for light and for dark by the reader's settings. Every text of the workflow is
escaped here, and nothing else of it goes into the drawing.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from flowcage.host.graph.layout import LINE, PADDING, SHIFT, Box, laid_out, title_of
from flowcage.host.graph.tree import Group, Step
from flowcage.host.graph.words import one_line

_MARGIN = 16.0
_STYLE = """
.fc { --paper: #ffffff; --ink: #1c2024; --faint: #5b6570; --line: #8b949e; --fill: #f6f8fa;
  --agent: #dbeafe; --agent-line: #2563eb; --other: #fef3c7; --other-line: #b45309;
  --phase: #eef2f7; --answers: #9a3412; }
@media (prefers-color-scheme: dark) {
  .fc { --paper: #14171b; --ink: #e6e9ec; --faint: #a3adb8; --line: #6b7681; --fill: #1d2228;
    --agent: #1d3354; --agent-line: #7db0ff; --other: #453311; --other-line: #e5b567;
    --phase: #1a2027; --answers: #fdba74; }
}
.fc text { fill: var(--ink);
  font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
.fc .detail { fill: var(--faint); }
.fc .head { fill: var(--faint); font-weight: 600; }
.fc .phase > .head { fill: var(--ink); }
.fc .answers > .head { fill: var(--answers); }
.fc rect { stroke-width: 1.2; stroke: var(--line); fill: var(--fill); }
.fc .paper { fill: var(--paper); stroke: none; }
.fc .phase > rect { fill: var(--phase); stroke: none; }
.fc .loop > rect, .fc .arm > rect { stroke-dasharray: 5 4; fill: none; }
.fc .function > rect, .fc .stage > rect { fill: none; }
.fc .agent > rect { fill: var(--agent); stroke: var(--agent-line); }
.fc .step > rect { fill: var(--other); stroke: var(--other-line); }
.fc .step.agent > rect { fill: var(--agent); stroke: var(--agent-line); }
.fc .step.more > rect { fill: none; stroke: none; }
.fc .link { stroke: var(--line); stroke-width: 1.4; fill: none; }
.fc .tip { fill: var(--line); }
"""


def svg(tree: Group, name: str) -> str:
    """The drawing, with a line's end at its end.

    Args:
        tree: of the workflow.
        name: of the workflow.
    """
    box = laid_out(tree)
    width, height = box.width + 2 * _MARGIN, box.height + 2 * _MARGIN
    title = text_of(name)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fc" role="img" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" aria-label="Workflow {title}">',
        f"<title>Workflow {title}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{width:.0f}" height="{height:.0f}"/>',
        f'<g transform="translate({_MARGIN:g} {_MARGIN:g})">',
        *(_inside(box) if tree.children else [_text(0, LINE, "it asks for nothing", "detail")]),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def text_of(text: str) -> str:
    """A text of the workflow, for content and attributes."""
    return escape(one_line(text), {'"': "&quot;", "'": "&#39;"})


def _drawn(box: Box) -> Iterator[str]:
    node = box.node
    answers = " answers" if isinstance(node, Group) and node.depends else ""
    kind = f"step {node.kind}" if isinstance(node, Step) else node.kind
    yield f'<g class="{kind}{answers}" transform="translate({box.x:.1f} {box.y:.1f})">'
    yield f"<title>{_tip(box)}</title>"
    if isinstance(node, Step):
        yield _rectangle(box.width, box.height)
        yield _text(PADDING, LINE + 2, node.title)
        if node.detail:
            yield _text(PADDING, 2 * LINE + 1, node.detail, "detail")
    else:
        yield from _frame(box, node)
        yield from _inside(box)
    yield "</g>"


def _frame(box: Box, group: Group) -> Iterator[str]:
    if group.kind == "branch":
        return
    shadow = SHIFT if group.repeats and group.kind != "loop" else 0.0
    if shadow:
        yield _rectangle(box.width - shadow, box.height - shadow, shadow)
    yield _rectangle(box.width - shadow, box.height - shadow)
    yield _text(PADDING, LINE, title_of(group), "head")


def _inside(box: Box) -> Iterator[str]:
    for first, second in box.links:
        yield from _link(box.boxes[first], box.boxes[second])
    for inner in box.boxes:
        yield from _drawn(inner)


def _link(first: Box, second: Box) -> Iterator[str]:
    """An arrow from a box to the one below it, or beside it."""
    if second.y >= first.y + first.height:
        x = second.x + second.width / 2
        top = first.y + first.height
        x = min(max(x, first.x + 6), first.x + first.width - 6)
        yield f'<path class="link" d="M{x:.1f} {top:.1f}V{second.y - 6:.1f}"/>'
        yield f'<path class="tip" d="M{x - 4:.1f} {second.y - 7:.1f}h8l-4 7z"/>'
        return
    y = second.y + 20
    yield f'<path class="link" d="M{first.x + first.width:.1f} {y:.1f}H{second.x - 6:.1f}"/>'
    yield f'<path class="tip" d="M{second.x - 7:.1f} {y - 4:.1f}v8l7 -4z"/>'


def _rectangle(width: float, height: float, shift: float = 0.0) -> str:
    return f'<rect x="{shift:g}" y="{shift:g}" width="{width:.1f}" height="{height:.1f}" rx="7"/>'


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    styled = f' class="{kind}"' if kind else ""
    return f'<text{styled} x="{x:g}" y="{y:g}">{text_of(text)}</text>'


def _tip(box: Box) -> str:
    node = box.node
    title = node.title if isinstance(node, Step) else title_of(node)
    return text_of(f"{title}, line {node.line}" if node.line else title)

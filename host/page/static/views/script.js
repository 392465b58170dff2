// The script of each workflow, with the lines that made calls and those where it waits.

import { appendMarked, el, refill, setText } from "../base/dom.js";
import { counted } from "../base/format.js";
import { isOpen } from "../base/states.js";
import { VirtualList } from "../base/virtual.js";
import { pieces } from "../base/highlight.js";

const BETWEEN = "\n";

export class Script {
  constructor(model, onsearch) {
    this.model = model;
    this.onsearch = onsearch;
    this.path = "";
    this.module = undefined; // its name, where one is shown in the place of the workflow's own source
    this.choice = el("select", {
      class: "sort",
      "aria-label": "Workflow",
      onchange: () => {
        [this.path, this.module] = this.choice.value.split(BETWEEN);
        this.refresh();
      },
    });
    this.told = el("span", { class: "quiet found", role: "status" });
    this.list = new VirtualList({
      label: "Script",
      class: "script",
      make,
      fill: (row, item, index) => this.fill(row, item, index),
    });
    this.none = el("p", { class: "empty" });
    this.element = el(
      "div",
      { class: "view view-script" },
      el("div", { class: "toolbar" }, this.choice, this.told),
      this.list.element,
      this.none,
    );
  }

  refresh() {
    const { workflows } = this.model;
    refill(
      this.choice,
      [...workflows.values()].flatMap((each) =>
        [undefined, ...Object.keys(each.modules ?? {})].map((module) => {
          const name = module ?? each.sourceName;
          return el("option", { value: chosen(each.path, module) }, each.path ? `${each.path}: ${name}` : name);
        }),
      ),
    );
    this.choice.value = chosen(this.path, this.module);
    const isAlone = this.choice.options.length < 2;
    this.choice.hidden = isAlone;
    const workflow = workflows.get(this.path);
    const isModule = this.module !== undefined;
    const source = isModule ? workflow?.modules?.[this.module] : this.model.sourceOf(this.path);
    this.marks = this.marked();
    this.wrong = this.model.errorPlace();
    const waiting = [...this.marks.values()].reduce((sum, each) => sum + each.waiting, 0);
    setText(
      this.told,
      [
        workflow && isAlone ? workflow.sourceName : null,
        waiting ? `waits for ${counted(waiting, "call")}` : null,
      ]
        .filter(Boolean)
        .join(" · "),
    );
    this.none.hidden = typeof source === "string";
    this.list.element.hidden = typeof source !== "string";
    setText(this.none, "The source of this workflow is not known.");
    if (typeof source === "string" && this.drawn !== source) {
      this.drawn = source;
      this.list.set(pieces(source));
    } else this.list.draw(true);
  }

  marked() {
    const found = new Map();
    if (this.module !== undefined) return found;
    for (const call of this.model.calls.values()) {
      const line = call.path === this.path ? this.model.lineOf(call) : undefined;
      if (line === undefined) continue;
      const mark = found.get(line) ?? { calls: 0, waiting: 0, failed: 0 };
      mark.calls += 1;
      if (isOpen(call)) mark.waiting += 1;
      if (call.state === "failed") mark.failed += 1;
      found.set(line, mark);
    }
    return found;
  }

  fill(row, line, index) {
    const { number, mark, code } = row.cells;
    const told = this.marks.get(index + 1);
    setText(number, index + 1);
    row.classList.toggle("is-waiting", Boolean(told?.waiting));
    row.classList.toggle("is-error", this.wrong?.path === this.path && this.module === undefined && this.wrong.line === index + 1);
    row.classList.toggle("is-shown", index + 1 === this.line);
    setText(
      mark,
      told === undefined
        ? ""
        : told.waiting
          ? `◷ ${told.waiting}`
          : told.failed
            ? `✕ ${told.failed}/${told.calls}`
            : `✓ ${told.calls}`,
    );
    mark.title =
      told === undefined
        ? ""
        : `${counted(told.calls, "call")} made here${told.failed ? `, ${told.failed} failed` : ""}${told.waiting ? `; it waits for ${told.waiting}` : ""}`;
    code.replaceChildren();
    for (const { kind, text } of line) {
      if (kind === "") appendMarked(code, text);
      else code.append(appendMarked(el("span", { class: `code-${kind}` }), text));
    }
  }

  show(path, line) {
    this.path = path;
    this.module = undefined;
    this.line = line;
    this.refresh();
    this.list.element.scrollTop = Math.max(0, (line - 6) * this.list.rowHeight);
    this.list.draw(true);
  }
}

/** The value of an option, whose parts hold no line break. */
function chosen(path, module) {
  return module === undefined ? path : `${path}${BETWEEN}${module}`;
}

function make() {
  const number = el("span", { class: "line-number", role: "cell" });
  const mark = el("span", { class: "line-mark", role: "cell" });
  const code = el("code", { class: "line-code", role: "cell" });
  return Object.assign(el("div", { class: "row", role: "row" }, number, mark, code), { cells: { number, mark, code } });
}

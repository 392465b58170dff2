// A list of any length of which only the rows in sight are elements. All rows have the same height, which
// the style sheet gives (`--row-height`), so that a position is a multiplication.

import { el } from "./dom.js";

const BEYOND_SIGHT = 8;

/**
 * Options: `label` (its accessible name), `make()` (an empty row), `fill(row, item, index)`, `onselect(item,
 * index)`, `onopen(item, index)`, `isSelectable(item)`, `role`, `follows` (a list that is at its
 * end stays there when it gets longer). A list with `onselect` is a grid that keys move in; one without is a table.
 */
export class VirtualList {
  constructor(options) {
    this.options = options;
    this.items = [];
    this.selected = -1;
    this.rows = new Map();
    this.spare = [];
    this.id = `list-${VirtualList.made}`;
    VirtualList.made += 1;
    this.body = el("div", { class: "rows", role: "rowgroup" });
    const role = options.role ?? (options.onselect ? "grid" : "table");
    this.element = el(
      "div",
      { class: `list ${options.class ?? ""}`, role, "aria-label": options.label, tabindex: "0" },
      this.body,
    );
    this.element.addEventListener("scroll", () => this.draw(), { passive: true });
    this.body.addEventListener("click", (event) => this.click(event));
    this.height = 0;
    this.headHeight = 0;
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.element);
  }

  /** Show these items; what was selected stays selected by `key`. */
  set(items, selected = this.selected) {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    const isAtEnd = scrollTop > 0 && scrollTop + clientHeight >= scrollHeight - 2;
    const isLonger = items.length > this.items.length;
    this.items = items;
    this.selected = selected < items.length ? selected : -1;
    this.element.setAttribute("aria-rowcount", String(items.length));
    this.measure();
    if (this.options.follows && isAtEnd && isLonger) this.element.scrollTop = this.element.scrollHeight;
  }

  measure() {
    this.rowHeight = parseFloat(getComputedStyle(this.element).getPropertyValue("--row-height")) || 32;
    this.height = this.element.clientHeight;
    this.headHeight = this.body.offsetTop;
    this.body.style.height = `${this.items.length * this.rowHeight}px`;
    this.draw(true);
  }

  /** Make the rows in sight elements; `anew` fills those again that are there. */
  draw(anew = false) {
    const top = this.element.scrollTop - this.headHeight;
    const first = this.isWhole ? 0 : Math.max(0, Math.floor(top / this.rowHeight) - BEYOND_SIGHT);
    const last = this.isWhole
      ? this.items.length
      : Math.min(this.items.length, Math.ceil((top + this.height) / this.rowHeight) + BEYOND_SIGHT);
    for (const [index, row] of this.rows) {
      if (index >= first && index < last) continue;
      this.rows.delete(index);
      this.spare.push(row);
    }
    for (let index = last - 1; index >= first; index -= 1) {
      const row = this.rows.get(index);
      if (row === undefined) this.place(index);
      else if (anew) this.fill(row, index);
    }
    for (const row of this.spare.splice(64)) row.remove();
    for (const row of this.spare) row.hidden = true;
  }

  place(index) {
    const row = this.spare.pop() ?? this.options.make();
    row.hidden = false;
    this.body.insertBefore(row, this.rows.get(index + 1) ?? null); // in the order in which they are read
    this.rows.set(index, row);
    this.fill(row, index);
  }

  fill(row, index) {
    row.style.transform = `translateY(${index * this.rowHeight}px)`;
    row.id = `${this.id}-${index}`;
    row.dataset.index = String(index);
    row.setAttribute("aria-rowindex", String(index + 1));
    row.classList.toggle("selected", index === this.selected);
    if (this.options.onselect) row.setAttribute("aria-selected", String(index === this.selected));
    this.options.fill(row, this.items[index], index);
  }

  click(event) {
    const row = event.target.closest("[data-index]");
    if (row === null) return;
    const index = Number(row.dataset.index);
    this.select(index);
    this.options.onopen?.(this.items[index], index);
  }

  select(index) {
    if (index < 0 || index >= this.items.length) return;
    const before = this.selected;
    this.selected = index;
    for (const each of [before, index]) if (this.rows.has(each)) this.fill(this.rows.get(each), each);
    this.reveal(index);
    this.element.setAttribute("aria-activedescendant", `${this.id}-${index}`);
    this.options.onselect?.(this.items[index], index);
  }

  reveal(index) {
    const head = this.headHeight;
    const top = index * this.rowHeight;
    const { scrollTop } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.rowHeight + head > scrollTop + this.height) {
      this.element.scrollTop = top + this.rowHeight + head - this.height;
    }
    this.draw();
  }

  /** Select the next item that can be selected, so many further. */
  move(by) {
    const step = Math.sign(by);
    let index = this.selected;
    for (let left = Math.abs(by); left > 0;) {
      const next = index + step;
      if (next < 0 || next >= this.items.length) break;
      index = next;
      if (this.options.isSelectable?.(this.items[index]) ?? true) {
        left -= 1;
        this.goal = index;
      }
    }
    if (this.goal !== undefined && this.goal !== this.selected) this.select(this.goal);
    this.goal = undefined;
  }

  openSelected() {
    if (this.selected >= 0) this.options.onopen?.(this.items[this.selected], this.selected);
  }

  /** How many rows are in sight. */
  get page() {
    return Math.max(1, Math.floor(this.height / this.rowHeight) - 2);
  }

  /** For paper: all rows are elements while `isWhole`. */
  setWhole(isWhole) {
    this.isWhole = isWhole;
    this.draw();
  }
}
VirtualList.made = 0;

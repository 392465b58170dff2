// What the pages of the server share: the bar above, dialogs, a line for what is wrong.

import { button, el, refill, svg } from "../page/base/dom.js";
import { themeSwitch } from "../page/base/theme.js";
import { href } from "./net.js";

/** The element that a page fills. */
export const root = globalThis.document.getElementById("app");

/** The bar with the way home; `middle` and `end` are put into it. */
export function bar(middle, end = []) {
  const mark = svg("svg", { class: "mark", viewBox: "0 0 20 20", "aria-hidden": "true" },
    svg("path", { class: "mark-bars", d: "M4 3v14M10 3v14M16 3v14" }), svg("path", { class: "mark-flow", d: "M1 12c3-5 6-5 9-2s6 3 9-2" }));
  return el("header", { class: "bar" },
    el("a", { class: "home", href: href(""), "aria-label": "flowcage: runs" }, mark, el("span", { class: "brand" }, "flowcage")), middle,
    el("div", { class: "bar-end" }, end, themeSwitch()));
}

/** A line that says what is wrong, and is not there otherwise. */
export function problemLine() {
  const element = el("p", { class: "problem text", role: "status", hidden: true });
  element.tell = (text) => {
    element.hidden = text === null;
    refill(element, text ?? "");
  };
  return element;
}

/** Show a dialog with a title; it is removed when it is closed. */
export function showDialog(title, ...content) {
  const close = () => element.close();
  const element = el("dialog", { class: "ask", "aria-labelledby": "dialog-title" },
    el("div", { class: "panel-head" }, el("h2", { id: "dialog-title", class: "text" }, title),
      button("✕", close, { class: "icon close", "aria-label": "Close" })), content);
  element.addEventListener("close", () => element.remove());
  globalThis.document.body.append(element);
  element.showModal();
  return element;
}

/** A button that does something which may be refused: `done` is given what comes of it, `problem` the line. */
export function doing(label, act, done, problem, properties = {}) {
  const element = button(label, async () => {
    element.disabled = true;
    problem.tell(null);
    try {
      done(await act());
    } catch (error) {
      problem.tell(error.message);
    } finally {
      element.disabled = false;
    }
  }, { class: "action primary", ...properties });
  return element;
}

/** How long ago a time in milliseconds was, in one unit. */
export function ago(at, now) {
  const passed = Math.max(0, Math.round((now - at) / 1000));
  const units = [[60, "s"], [3600, "min", 60], [86_400, "h", 3600], [Infinity, "d", 86_400]];
  const [, unit, size = 1] = units.find(([most]) => passed < most);
  return `${Math.floor(passed / size)} ${unit} ago`;
}

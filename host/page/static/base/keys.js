// What keys do, and the dialog that says so.

import { button, el } from "./dom.js";

/**
 * Call the handler of a key: `handlers` are functions by `event.key`, which return false where they had
 * nothing to do. Keys that are typed into a field are left alone, Escape apart. Returns what ends it.
 */
export function onKeys(handlers) {
  const listen = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const isTyping = event.target instanceof Element && event.target.closest("input, textarea, select") !== null;
    if (isTyping && event.key !== "Escape") return;
    if (globalThis.document.querySelector("dialog[open]") !== null) return;
    const handler = handlers[event.key];
    if (handler !== undefined && handler(event) !== false) event.preventDefault();
  };
  globalThis.document.addEventListener("keydown", listen);
  return () => globalThis.document.removeEventListener("keydown", listen);
}

/** A dialog that lists keys: rows of `[keys, what they do]`. */
export function keysDialog(rows) {
  const close = button("✕", () => element.close(), { class: "icon close", "aria-label": "Close" });
  const element = el(
    "dialog",
    { class: "keys", "aria-labelledby": "keys-title" },
    el("div", { class: "panel-head" }, el("h2", { id: "keys-title" }, "Keys"), close),
    el(
      "dl",
      {},
      rows.map(([keys, text]) =>
        el(
          "div",
          {},
          el(
            "dt",
            {},
            keys.map((key) => el("kbd", {}, key)),
          ),
          el("dd", {}, text),
        ),
      ),
    ),
  );
  element.addEventListener("click", (event) => {
    if (event.target === element) element.close();
  });
  return element;
}

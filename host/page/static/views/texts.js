// Blocks of text of any length: prompts, answers, errors. A long one is cut on the page until somebody asks
// for all of it, and then laid out in pieces, so that a megabyte does not hold the page up.

import { appendMarked, button, el, shown } from "../base/dom.js";
import { count } from "../base/format.js";

const CUT = 6000;
const PIECE = 20_000;

/**
 * A block that shows `text`, with `title` above it. Where the document has a part of it only, `fullLength` says
 * how long it is, and `whole(line)` loads the rest, if that is possible.
 */
export function textBlock(title, text, { fullLength, whole, className = "", heading = "h3" } = {}) {
  const body = el("pre", { class: `text-block text ${className}`, tabindex: "0", "aria-label": title });
  const head = el("div", { class: "block-head" }, el(heading, { class: "block-title" }, title), copyButton(text));
  const section = el("section", { class: "block" }, head, body);
  fill(body, text.slice(0, CUT));
  if (text.length > CUT)
    section.append(
      foot(`${count(CUT)} of ${count(fullLength ?? text.length)} characters`, "Show all", (line) => {
        line.remove();
        body.replaceChildren();
        for (let at = 0; at < text.length; at += PIECE)
          body.append(appendMarked(el("span", { class: "piece" }), text.slice(at, at + PIECE)));
      }),
    );
  if (fullLength > text.length)
    section.append(
      whole
        ? foot(`${count(text.length)} of ${count(fullLength)} characters are here`, "Load the rest", whole)
        : note(text.length, fullLength),
    );
  return section;
}

function fill(body, text) {
  if (text === "") body.append(el("span", { class: "quiet" }, "empty"));
  else appendMarked(body, text);
}

function foot(text, label, onclick) {
  const line = el("p", { class: "block-foot quiet" }, `${text} · `);
  line.append(button(label, () => onclick(line), { class: "link" }));
  return line;
}

function note(here, whole) {
  return el(
    "p",
    { class: "block-foot quiet" },
    `${count(here)} of ${count(whole)} characters; `,
    el("code", {}, "flowcage report --full"),
    " keeps them all",
  );
}

/** Copies the text as it is shown: pasted into a terminal, what cannot be seen could act. */
function copyButton(text) {
  const clipboard = globalThis.navigator?.clipboard;
  if (clipboard === undefined) return null;
  const element = button(
    "Copy",
    async () => {
      element.textContent = await clipboard.writeText(shown(text)).then(
        () => "Copied",
        () => "Not allowed here",
      );
    },
    { class: "link copy" },
  );
  return element;
}

/** A value as text: a string as it is, anything else as JSON. */
export function valueText(value) {
  return typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? "");
}

/** The same text laid out as JSON where it is JSON, so that two of them can be compared line by line. */
export function laidOut(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : text;
  } catch {
    return text;
  }
}

export function oneLine(text, most = 200) {
  return shown(String(text ?? "").slice(0, most)).replace(/\s+/g, " ");
}

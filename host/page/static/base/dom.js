// Elements of the page. Every string becomes a text node or an attribute's value, never markup, and every
// string passes `shown`: texts come from scripts, models and stores, and nobody answers for them.

const SVG = "http://www.w3.org/2000/svg";

// What would reorder, hide or move the text around it: controls, formats (bidirectional overrides,
// zero-width), halves of surrogate pairs, private and unassigned characters, separators of lines and
// paragraphs. The two joiners are kept, for Persian and Indic words and compound emoji.
const HIDDEN = /(?![\n\t\u200c\u200d])[\p{C}\p{Zl}\p{Zp}]/gu;
const MOST_MARKED = 500;

/** The text with visible escapes in place of characters that would act on the text around them. */
export function shown(value) {
  return String(value).replace(/\r\n/g, "\n").replace(HIDDEN, escapeOf);
}

function escapeOf(character) {
  let escape = "";
  for (let at = 0; at < character.length; at += 1) {
    escape += `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
  }
  return escape;
}

/** Add a text whose escapes are set apart, so that they cannot be taken for text that says `\u202e`. */
export function appendMarked(parent, value) {
  const text = String(value).replace(/\r\n/g, "\n");
  let from = 0;
  let marked = 0;
  for (const found of text.matchAll(HIDDEN)) {
    if (marked === MOST_MARKED) break;
    marked += 1;
    if (found.index > from) parent.append(text.slice(from, found.index));
    parent.append(el("span", { class: "escape", title: "a character that cannot be seen" }, found[0]));
    from = found.index + found[0].length;
  }
  parent.append(shown(text.slice(from)));
  return parent;
}

/**
 * An element.
 *
 * `properties` are attributes; besides, `class`, `style` (an object of CSS properties), `data` (of data-
 * attributes), and listeners by names such as `onclick`. A value of null, undefined or false is left out.
 */
export function el(tag, properties, ...children) {
  return filled(globalThis.document.createElement(tag), properties, children);
}

/** The same in the namespace of SVG. */
export function svg(tag, properties, ...children) {
  return filled(globalThis.document.createElementNS(SVG, tag), properties, children);
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else if (name === "data") for (const [key, each] of Object.entries(value)) element.dataset[key] = shown(each);
    else element.setAttribute(name, value === true ? "" : shown(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : shown(child));
  }
}

/** Put these children in place of those that are there. */
export function refill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** Set the text of an element if it is another one. */
export function setText(element, value) {
  const text = shown(value);
  if (element.textContent !== text) element.textContent = text;
}

export function button(text, onclick, properties) {
  return el("button", { type: "button", onclick, ...properties }, text);
}

// Light, dark, or as the system has it. The choice is kept where the browser lets a page keep something.

import { button } from "./dom.js";

const KEY = "flowcage-theme";
const NEXT = { system: "light", light: "dark", dark: "system" };
const GLYPHS = { system: "◐", light: "☀", dark: "☾" };

function kept() {
  try {
    return globalThis.localStorage.getItem(KEY);
  } catch {
    return null; // such as in a sandboxed frame
  }
}

function keep(theme) {
  try {
    globalThis.localStorage.setItem(KEY, theme);
  } catch {
    // then it lasts as long as the page
  }
}

function apply(theme) {
  if (theme === "system") delete globalThis.document.documentElement.dataset.theme;
  else globalThis.document.documentElement.dataset.theme = theme;
}

/** A button that goes through the themes. */
export function themeSwitch() {
  let theme = kept() ?? "system";
  if (!(theme in NEXT)) theme = "system";
  const tell = () => {
    apply(theme);
    element.textContent = GLYPHS[theme];
    element.setAttribute("aria-label", `Colours: ${theme}`);
    element.title = `Colours: ${theme} (t)`;
  };
  const element = button(
    "",
    () => {
      theme = NEXT[theme];
      keep(theme);
      tell();
    },
    { class: "icon theme-switch" },
  );
  tell();
  return element;
}

// The keys of the page of a run.

export const KEYS = [
  [["1", "…", "5"], "overview, calls, log, script, result"],
  [["j", "k"], "next and previous call; so do ↓ and ↑"],
  [["Enter"], "open the call, or close the phase"],
  [["Home", "End", "PgUp", "PgDn"], "move in the list"],
  [["/"], "search"],
  [["Esc"], "close the call, end the search"],
  [["z"], "the time of the selected call or phase; Esc: all of the time"],
  [["t"], "light, dark, or as the system has it"],
  [["?"], "this list"],
];

/** Handlers by key: of the page, whose views have these names in the order of the digits. */
export function handlers(page, names) {
  const move = (by) => (event) => inList(page, event, (list) => list.move(by(list)));
  const [next, previous] = [move(() => 1), move(() => -1)];
  return {
    j: next,
    ArrowDown: next,
    k: previous,
    ArrowUp: previous,
    PageDown: move((list) => list.page),
    PageUp: move((list) => -list.page),
    Home: move((list) => -list.items.length),
    End: move((list) => list.items.length),
    Enter: (event) => inList(page, event, (list) => list.openSelected()),
    "/": () => search(page),
    Escape: () => escape(page),
    "?": () => page.dialog.showModal(),
    z: () => page.views[page.tab].chooseSelected?.() ?? page.tab === "calls",
    t: () => page.theme.click(),
    ...Object.fromEntries(names.map((name, index) => [String(index + 1), () => page.show(name)])),
  };
}

/** Keys move in the list of the view; where something else has the focus, letters do only. */
function inList(page, event, act) {
  const { list } = page.views[page.tab];
  if (!list?.options.onselect) return false;
  const { activeElement, body } = globalThis.document;
  const isElsewhere = activeElement !== body && activeElement !== list.element;
  if (isElsewhere && !["j", "k"].includes(event.key)) return false;
  act(list);
  return true;
}

function search(page) {
  if (!page.views[page.tab].search) page.show("calls");
  const field = page.views[page.tab].search;
  field.focus();
  field.select();
}

function escape(page) {
  const { search: field, list, close } = page.views[page.tab];
  if (field !== undefined && globalThis.document.activeElement === field) {
    field.value = "";
    field.dispatchEvent(new Event("input"));
    list.element.focus();
    return true;
  }
  return page.close() || (close?.call(page.views[page.tab]) ?? false);
}

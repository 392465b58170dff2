// The page of one run: draws a page document (see host/page/document.py) and keeps it up with deltas.
//
//   import { mount } from "./page.js";
//
//   const page = mount(root, whole, options);
//     root       an element; what is in it is replaced. The style sheets of css/ are the caller's to load.
//     whole      the page document.
//     options    all may be left out:
//       live       true: the run is watched, so its clock goes on between two deltas, and the head does not
//                  say as of when the page is.
//       fetchCall  (id) => Promise of that call with its whole texts; without it the page says how to get them.
//       actions    buttons in the head: [{label, title?, kind?: "primary" | "danger", run(run) => void,
//                  when?(run, model) => boolean}]; `when` is asked again at every change.
//       extra      (call, before) => element or null, put into the detail of a call, such as the form that
//                  answers a person's question. It is asked again when the call has changed; `before` is the
//                  element that is there: returned again, it stays untouched, with its focus and its text.
//       home       {href, label}: a link at the left of the bar, such as to the list of runs.
//
//   page.update(delta)  {run?, calls?, workflows?, logs?, events?, totals?, left?, asOf?}: members of `run` are
//                       merged, calls and workflows replaced member by member by id and path, logs and events
//                       added at the end. Drawn soon, at most five times a second.
//   page.replace(whole) another document, such as after the stream was broken.
//   page.open(callId)   shows the detail of a call.  page.model  what is shown (base/model.js).
//   page.destroy()      ends timers and listeners, and empties root.
//
// The view and the call that is open are in the fragment of the address: #calls, #call=3/1, #script=LINE.
// Lists, fields and figures of other pages: base/{dom,format,states,virtual,keys,theme}.js, and `badge` of
// views/head.js.

import { el, refill } from "./base/dom.js";
import { keysDialog, onKeys } from "./base/keys.js";
import { Model } from "./base/model.js";
import { themeSwitch } from "./base/theme.js";
import { handlers, KEYS } from "./shortcuts.js";
import { Bar } from "./views/bar.js";
import { Calls } from "./views/calls.js";
import { Chart } from "./views/chart.js";
import { Detail } from "./views/detail.js";
import { Events } from "./views/events.js";
import { Graph } from "./views/graph.js";
import { Head } from "./views/head.js";
import { Ending, Result } from "./views/result.js";
import { Script } from "./views/script.js";
import { UsageTables } from "./views/usage.js";

const REDRAW_MS = 200;
const TABS = ["overview", "calls", "log", "script", "result"];
/** Draw a page document; see the top of this file. */
export function mount(root, whole, options = {}) {
  return new Page(root, whole, options);
}

class Page {
  constructor(root, whole, options) {
    this.root = root;
    this.options = options;
    this.model = new Model(whole, options);
    this.stale = new Set(TABS);
    this.makeViews();
    this.theme = themeSwitch();
    this.dialog = keysDialog(KEYS);
    this.makeFrame();
    this.endKeys = onKeys(handlers(this, TABS));
    this.goToFragment = () => this.goTo(globalThis.location.hash);
    globalThis.addEventListener("hashchange", this.goToFragment);
    this.onPaper = [() => this.setWhole(true), () => this.setWhole(false)];
    globalThis.addEventListener("beforeprint", this.onPaper[0]);
    globalThis.addEventListener("afterprint", this.onPaper[1]);
    if (options.live) this.clock = setInterval(() => this.tick(), 1000);
    this.goTo(globalThis.location.hash);
  }

  makeViews() {
    const { model, options } = this;
    const open = (id) => this.open(id);
    this.head = new Head(model, options.actions ?? []);
    this.overview = [
      this.head,
      new Ending(model, {
        open,
        result: () => this.show("result"),
        status: (name) => this.showStatus(name),
        line: (path, line) => this.showLine(path, line),
      }),
      new Chart(model, (name) => this.showPhase(name)),
      new Graph(model, open, (status) => this.showStatus(status)),
      new UsageTables(model),
    ];
    this.calls = new Calls(model, (id, isOpening) => {
      if (isOpening || !this.detail.element.hidden) this.openDetail(id);
    });
    this.detail = new Detail(model, {
      fetchCall: options.fetchCall,
      extra: options.extra,
      onclose: () => this.close(),
      online: (path, line) => this.showLine(path, line),
    });
    this.views = {
      overview: {
        element: el(
          "div",
          { class: "view page-column" },
          this.overview.map((each) => each.element),
        ),
        refresh: () => this.overview.forEach((each) => each.refresh()),
      },
      calls: this.calls,
      log: new Events(model),
      script: new Script(model),
      result: new Result(model),
    };
  }

  makeFrame() {
    for (const name of TABS) {
      const { element } = this.views[name];
      const roles = { id: `view-${name}`, role: "tabpanel", "aria-labelledby": `tab-${name}` };
      for (const [key, value] of Object.entries(roles)) element.setAttribute(key, value);
      element.hidden = true;
    }
    this.bar = new Bar(this.model, {
      names: TABS,
      home: this.options.home,
      theme: this.theme,
      onshow: (name) => this.show(name),
      onkeys: () => this.dialog.showModal(),
    });
    this.main = el(
      "main",
      { class: "main" },
      TABS.map((name) => this.views[name].element),
    );
    const below = el("div", { class: "below" }, this.main, this.detail.element);
    refill(this.root, el("div", { class: "page" }, this.bar.element, below), this.dialog);
    this.bar.refresh();
  }

  update(delta) {
    this.model.take(delta);
    this.stale = new Set(TABS);
    this.drawSoon();
  }

  replace(whole) {
    Object.assign(this.model, new Model(whole, this.options));
    this.update({});
  }

  drawSoon() {
    if (this.timer !== undefined) return;
    const since = performance.now() - (this.drawnAt ?? -Infinity);
    this.timer = setTimeout(
      () =>
        requestAnimationFrame(() => {
          this.timer = undefined;
          this.drawnAt = performance.now();
          if (this.root.firstElementChild !== null) this.draw();
        }),
      Math.max(0, REDRAW_MS - since),
    );
  }

  draw() {
    this.bar.refresh();
    this.refresh();
    if (!this.detail.element.hidden) this.detail.show(this.detail.id);
  }

  /** Draw the view that is in sight, if something has changed; focus and places in it stay. */
  refresh() {
    if (!this.stale.delete(this.tab)) return;
    const view = this.views[this.tab];
    const key = globalThis.document.activeElement?.dataset.key;
    const places = [this.main, ...this.main.querySelectorAll(".scroller")].map((each) => [
      each.scrollLeft,
      each.scrollTop,
    ]);
    view.refresh();
    [this.main, ...this.main.querySelectorAll(".scroller")].forEach((each, index) =>
      each.scrollTo(...(places[index] ?? [0, 0])),
    );
    if (key !== undefined)
      view.element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  }

  tick() {
    if (this.model.run.state !== "running" || globalThis.document.hidden) return;
    if (this.tab === "overview") this.head.tickTime();
    if (this.tab === "calls") {
      this.stale.add("calls");
      this.refresh();
    }
  }

  show(name, fragment = name) {
    this.tab = name;
    this.bar.select(name);
    for (const each of TABS) this.views[each].element.hidden = each !== name;
    if (name !== "calls") this.detail.hide();
    this.root.firstElementChild.dataset.view = name;
    this.main.scrollTop = 0;
    this.refresh();
    this.views[name].list?.measure();
    this.keepFragment(fragment);
  }

  keepFragment(fragment) {
    try {
      globalThis.history.replaceState(globalThis.history.state, "", `#${fragment}`);
    } catch {
      // a page without an address of its own
    }
  }

  goTo(hash) {
    const [name, value] = readFragment(hash);
    if (name === "call" && this.model.calls.has(value)) this.open(value);
    else if (name === "script" && /^\d+$/.test(value)) this.showLine("", Number(value));
    else this.show(TABS.includes(name) ? name : "overview");
  }

  open(id) {
    if (this.tab !== "calls") this.show("calls");
    this.openDetail(id);
    this.calls.show(id);
  }

  openDetail(id) {
    this.detail.show(id);
    this.keepFragment(`call=${encodeURIComponent(id)}`);
  }

  /** Close what is open; returns whether there was something. */
  close() {
    if (this.detail.element.hidden) return false;
    const hadFocus = this.detail.element.contains(globalThis.document.activeElement);
    this.detail.hide();
    this.keepFragment("calls");
    if (hadFocus) this.calls.list.element.focus();
    return true;
  }

  showPhase(name) {
    this.show("calls");
    this.calls.showPhase(name);
  }

  showStatus(name) {
    this.show("calls");
    this.calls.showStatus(name);
  }

  showLine(path, line) {
    this.show("script", path === "" ? `script=${line}` : "script");
    this.views.script.show(path, line);
  }

  /** For paper every view is drawn, with all rows. */
  setWhole(isWhole) {
    for (const name of TABS) {
      const view = this.views[name];
      if (isWhole && this.stale.delete(name)) view.refresh();
      view.element.classList.toggle("on-paper", isWhole);
      view.list?.setWhole(isWhole && view.list.items.length <= 2000);
    }
  }

  destroy() {
    clearInterval(this.clock);
    clearTimeout(this.timer);
    this.endKeys();
    globalThis.removeEventListener("hashchange", this.goToFragment);
    globalThis.removeEventListener("beforeprint", this.onPaper[0]);
    globalThis.removeEventListener("afterprint", this.onPaper[1]);
    this.root.replaceChildren();
  }
}

function readFragment(hash) {
  const [name, ...rest] = hash.replace(/^#/, "").split("=");
  try {
    return [name, decodeURIComponent(rest.join("="))];
  } catch {
    return [name, ""]; // not one that we have written
  }
}

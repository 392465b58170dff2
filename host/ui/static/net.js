// The server: what it has as JSON, what it is asked to do, and what it tells of by itself.

const PLACE = globalThis.document.body.dataset.place;
const HIDDEN_MS = 20_000; // a browser has six connections to a server, so a page that nobody sees leaves its own
const AGAIN_MS = 3_000;

/** Whether anything may be done to the runs. */
export const acts = globalThis.document.body.dataset.acts === "true";

/** The path of a page. */
export const href = (path) => `${PLACE}/${path}`;

/** The path of a run's page. */
export const hrefOfRun = (id) => href(`runs/${encodeURIComponent(id)}`);

const api = (path) => href(`api/${path}`);

/** The segments of a path, each as it may stand in one. */
export const path = (...segments) => segments.map(encodeURIComponent).join("/");

/** A call's id has slashes, which stay. */
export const pathOfCall = (id) => id.split("/").map(encodeURIComponent).join("/");

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export const get = (where) => asked(where, {});

export const post = (where, value) => asked(where, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

async function asked(where, options) {
  let answer;
  try {
    answer = await fetch(api(where), options);
  } catch {
    throw new Refused(0, "the server does not answer; it may have ended");
  }
  if (answer.ok) return answer.json();
  throw new Refused(answer.status, await detailOf(answer));
}

async function detailOf(answer) {
  try {
    const text = await answer.text();
    const problem = answer.headers.get("content-type")?.includes("json") ? JSON.parse(text) : { detail: text };
    return String(problem.detail ?? answer.status);
  } catch {
    return `the server answers ${answer.status}`;
  }
}

/**
 * Listen to a stream: `heard` are functions by the names of its events. It is begun again when it breaks, and
 * when the page is seen again; then the first event tells all there is. `problem` is given a text where nothing
 * comes at the moment, and null where it does again. Returns what ends it.
 */
export function listen(where, heard, problem) {
  let source = null;
  let timer = null;
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
  const again = (text) => {
    problem(text);
    close();
    timer = setTimeout(open, AGAIN_MS);
  };
  const open = () => {
    close();
    source = new EventSource(api(where));
    for (const [name, hear] of Object.entries(heard)) {
      source.addEventListener(name, (event) => {
        problem(null);
        hear(JSON.parse(event.data));
      });
    }
    source.addEventListener("problem", (event) => again(JSON.parse(event.data).detail));
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) why(where).then(again);
      else problem("the connection was lost");
    });
  };
  const onVisibility = () => {
    clearTimeout(timer);
    if (globalThis.document.hidden) timer = setTimeout(close, HIDDEN_MS);
    else if (source === null) open();
  };
  globalThis.document.addEventListener("visibilitychange", onVisibility);
  globalThis.addEventListener("pagehide", close);
  open();
  return () => {
    globalThis.document.removeEventListener("visibilitychange", onVisibility);
    close();
  };
}

/** Why a stream was refused: the browser does not tell, so it is asked for once more. */
async function why(where) {
  const stopped = new AbortController();
  try {
    const answer = await fetch(api(where), { signal: stopped.signal });
    return answer.ok ? "the connection was lost" : await detailOf(answer);
  } catch {
    return "the server does not answer; it may have ended";
  } finally {
    stopped.abort();
  }
}

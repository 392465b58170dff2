// The file that `flowcage report` writes: the document is a block of JSON in it.

import { mount } from "./page.js";

mount(
  globalThis.document.getElementById("page"),
  JSON.parse(globalThis.document.getElementById("document").textContent),
);

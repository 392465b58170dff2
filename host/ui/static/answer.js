// The form by which a person answers a question of a run: its options, the fields of a plain schema, or JSON.

import { el, refill } from "../page/base/dom.js";
import { doing, problemLine } from "./frame.js";
import { get, path, post } from "./net.js";

const MOST_FIELDS = 30;

/** A form for one question; it is filled when the question is known. */
export function answerForm(run, call) {
  const element = el("section", { class: "answer panel", "aria-label": "Your answer" }, el("p", { class: "quiet" }, "Loading …"));
  get(`${path("runs", run)}/questions`).then((questions) => {
    const question = questions.find((each) => each.id === call);
    refill(element, question === undefined ? el("p", { class: "quiet" }, "It is answered; the run takes the answer in when it goes on.") : content(run, question, element));
  }, (error) => refill(element, el("p", { class: "problem" }, error.message)));
  return element;
}

function content(run, question, element) {
  const problem = problemLine();
  const field = fieldOf(question);
  const send = (value) => post(`${path("runs", run)}/answer`, { request: question.id, ...value });
  const done = (told) => refill(element, el("p", { class: "tone-good" }, `It is ${told.done}. A run that is not at work takes that in when it goes on.`));
  const reason = el("input", { class: "field", type: "text", "aria-label": "Why there is no answer", placeholder: "why not", maxlength: "1000" });
  return [
    el("h3", {}, "Your answer"), field.element, problem,
    el("div", { class: "dialog-end" },
      doing("Answer", () => send(field.answer()), done, problem),
      el("details", {}, el("summary", {}, "Give no answer"), reason, doing("Reject", () => send({ reject: reason.value }), done, problem, { class: "action danger" }))),
  ];
}

/** `{element, answer()}`: the latter gives what is sent, or throws what is missing. */
function fieldOf({ options, schema, takesText, id }) {
  if (options.length > 0) return choices(options, `option-${id}`);
  if (takesText) return asText();
  const plain = fieldsOf(schema);
  return plain ?? asJson(schema);
}

function choices(labels, name) {
  const inputs = labels.map((label) => el("input", { type: "radio", name, value: label }));
  return {
    element: el("fieldset", { class: "choices" }, el("legend", { class: "unseen" }, "Options"), labels.map((label, at) => el("label", { class: "text" }, inputs[at], label))),
    answer: () => {
      const at = inputs.findIndex((each) => each.checked);
      if (at < 0) throw new Error("choose one of them");
      return { typed: labels[at] };
    },
  };
}

function asText() {
  const area = el("textarea", { class: "field", rows: "4", "aria-label": "Answer" });
  return { element: area, answer: () => ({ value: area.value }) };
}

function asJson(schema) {
  const area = el("textarea", { class: "field mono", rows: "6", "aria-label": "Answer, as JSON", spellcheck: "false" });
  const hint = el("details", {}, el("summary", {}, "JSON that fits a schema"), el("pre", { class: "text-block text" }, JSON.stringify(schema, null, 2)));
  return { element: el("div", {}, area, hint), answer: () => ({ value: parsed(area.value) }) };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`this is not JSON: ${error.message}`);
  }
}

/** Fields where the schema is one value, or an object of such; null where it is more. The server checks it. */
function fieldsOf(schema) {
  if (isValue(schema)) return one(schema, "Answer");
  const names = schema?.type === "object" && isObject(schema.properties) ? Object.keys(schema.properties) : [];
  if (names.length === 0 || names.length > MOST_FIELDS || !names.every((name) => isValue(schema.properties[name]))) return null;
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  const fields = names.map((name) => [name, one(schema.properties[name], name, required.has(name))]);
  return {
    element: el("div", { class: "fields" }, fields.map(([, field]) => field.element)),
    answer: () => ({ value: Object.fromEntries(fields.flatMap(([name, field]) => (field.isEmpty() && !required.has(name) ? [] : [[name, field.answer().value]]))) }),
  };
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isValue = (schema) => isObject(schema) && (Array.isArray(schema.enum) || ["string", "number", "integer", "boolean"].includes(schema.type));

function one(schema, name, isRequired = true) {
  const about = typeof schema.description === "string" ? el("span", { class: "quiet text" }, schema.description) : null;
  const input = inputOf(schema, isRequired);
  const label = el("label", { class: "labelled" }, el("span", { class: "text" }, isRequired ? name : `${name} (may be left out)`), about, input);
  return { element: label, isEmpty: () => input.value === "", answer: () => ({ value: valueOf(schema, input.value, name) }) };
}

function inputOf(schema, isRequired) {
  const words = Array.isArray(schema.enum) ? schema.enum.map((each) => JSON.stringify(each)) : schema.type === "boolean" ? ["true", "false"] : null;
  if (words !== null) return el("select", { class: "field" }, (isRequired ? words : ["", ...words]).map((each) => el("option", { value: each }, each)));
  if (schema.type === "string") return el("textarea", { class: "field", rows: "2" });
  return el("input", { class: "field", type: "text", inputmode: "decimal" });
}

function valueOf(schema, text, name) {
  if (!Array.isArray(schema.enum) && schema.type === "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${name}: expected ${schema.type === "integer" ? "a whole number" : "a number"}`);
  }
}

// Figures and times as people read them.

const NONE = "–";
const GROUPED = new Intl.NumberFormat("en-US");

export function count(value) {
  return value === null || value === undefined ? NONE : GROUPED.format(value);
}

/** `1 call`, `2 calls`. */
export function counted(value, noun, plural = `${noun}s`) {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

export function seconds(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (value <= 0) return "0 s";
  if (value < 0.9995) return `${Math.max(1, Math.round(value * 1000))} ms`;
  if (value < 59.95) return `${value.toFixed(1)} s`;
  return longer(Math.round(value));
}

function longer(whole) {
  const two = (value) => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${two(whole % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${two(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

export function tokens(value) {
  if (value === null || value === undefined) return NONE;
  if (value < 1000) return String(value);
  if (value < 99_950) return `${(value / 1000).toFixed(1)}k`;
  if (value < 999_500) return `${Math.round(value / 1000)}k`;
  return `${(value / 1e6).toFixed(2)}M`;
}

export function dollars(value) {
  if (value === null || value === undefined) return NONE;
  if (value === 0) return "$0";
  if (value < 0.00005) return "<$0.0001";
  return value < 0.01
    ? `$${value.toFixed(4)}`
    : `$${GROUPED.format(Number(value.toFixed(2)))}`.replace(/\.(\d)$/, ".$10");
}

/** A moment of the local clock; the text itself where it is no time. */
export function moment(text) {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return String(text);
  return time.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

/** Ticks for an axis: multiples of a round step, at most about `number` of them. */
export function ticks(from, to, number) {
  const step = stepOf((to - from) / number);
  const found = [];
  for (let at = Math.ceil(from / step); at * step <= to && found.length <= number + 1; at += 1) found.push(at * step);
  return found;
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400];

function stepOf(least) {
  if (least > 0.5) return STEPS.find((each) => each >= least) ?? Math.ceil(least / 86400) * 86400;
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-9)));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= least) ?? least;
}

/** A label for a tick, shorter than `seconds`; `step` says how exact it has to be. */
export function tick(value, step = 1) {
  if (value === 0) return "0";
  if (value < 1) return `${Number((value * 1000).toFixed(step < 0.001 ? 1 : 0))} ms`;
  if (value < 60) return `${Number(value.toFixed(step < 1 ? Math.ceil(-Math.log10(step)) : 1))} s`;
  if (step < 1)
    return `${longer(Math.floor(value))}`.replace(
      / s$/,
      `${(value % 1).toFixed(Math.ceil(-Math.log10(step))).slice(1)} s`,
    );
  return longer(Math.round(value)).replace(" 00 s", "").replace(" 00 min", "");
}

// JavaScript by lines, in pieces of a kind: enough to tell comments, strings and keywords apart, and no
// parser. What it takes for a string in a regular expression is a matter of colour only.

const PIECES = new RegExp(
  [
    String.raw`(?<comment>//[^\n]*|/\*[\s\S]*?(?:\*/|$))`,
    String.raw`(?<string>"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|` + "`(?:[^`\\\\]|\\\\[\\s\\S])*`?)",
    String.raw`(?<keyword>\b(?:async|await|break|case|catch|class|const|continue|default|delete|do|else|export|extends|false|finally|for|function|if|import|in|instanceof|let|new|null|of|return|static|switch|this|throw|true|try|typeof|undefined|var|void|while|yield)\b)`,
    String.raw`(?<call>\b(?:agent|parallel|pipeline|workflow|phase|log|ask|sleep|budget|args)\b)`,
    String.raw`(?<number>\b\d[\d_.xa-fA-F]*\b)`,
  ].join("|"),
  "g",
);
const MOST_CHARACTERS = 300_000; // a longer source is shown plain
const MOST_IN_LINE = 2000;

/** The lines of a source, each a list of `{kind, text}`; the kind of ordinary text is "". */
export function pieces(source) {
  const text = source.replace(/\r\n?/g, "\n");
  if (text.length > MOST_CHARACTERS) return text.split("\n").map((line) => [{ kind: "", text: cut(line) }]);
  const lines = [[]];
  let from = 0;
  for (const found of text.matchAll(PIECES)) {
    add(lines, "", text.slice(from, found.index));
    const kind = Object.keys(found.groups).find((name) => found.groups[name] !== undefined);
    add(lines, kind, found[0]);
    from = found.index + found[0].length;
  }
  add(lines, "", text.slice(from));
  return lines;
}

function add(lines, kind, text) {
  text.split("\n").forEach((part, index) => {
    if (index > 0) lines.push([]);
    if (part !== "") lines.at(-1).push({ kind, text: cut(part) });
  });
}

function cut(text) {
  return text.length <= MOST_IN_LINE ? text : `${text.slice(0, MOST_IN_LINE)}…`;
}

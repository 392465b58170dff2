// The difference of two texts by lines: the shortest way from one to the other (Myers 1986), within bounds.

const MOST_LINES = 4000;
const MOST_EDITS = 400;

/** `[{sign: " " | "-" | "+", text}]`, or null where the texts are too long or too different to compare. */
export function difference(before, after) {
  const one = before.split("\n");
  const other = after.split("\n");
  if (one.length > MOST_LINES || other.length > MOST_LINES) return null;
  const steps = shortest(one, other);
  return steps === null ? null : script(one, other, steps);
}

function shortest(one, other) {
  const trace = [];
  const most = Math.min(one.length + other.length, MOST_EDITS);
  const reach = new Map([[1, 0]]);
  for (let edits = 0; edits <= most; edits += 1) {
    trace.push(new Map(reach));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = comesDown(reach, diagonal, edits) ? reach.get(diagonal + 1) : reach.get(diagonal - 1) + 1;
      while (x < one.length && x - diagonal < other.length && one[x] === other[x - diagonal]) x += 1;
      reach.set(diagonal, x);
      if (x >= one.length && x - diagonal >= other.length) return trace;
    }
  }
  return null;
}

function comesDown(reach, diagonal, edits) {
  return diagonal === -edits || (diagonal !== edits && reach.get(diagonal - 1) < reach.get(diagonal + 1));
}

function script(one, other, trace) {
  const found = [];
  let x = one.length;
  let y = other.length;
  for (let edits = trace.length - 1; edits >= 0; edits -= 1) {
    const reach = trace[edits];
    const isDown = comesDown(reach, x - y, edits);
    const diagonal = isDown ? x - y + 1 : x - y - 1;
    const fromX = reach.get(diagonal);
    const fromY = fromX - diagonal;
    while (
      x > Math.max(fromX, 0) &&
      y > Math.max(fromY, 0) &&
      !(x === fromX && y === fromY) &&
      one[x - 1] === other[y - 1]
    ) {
      x -= 1;
      y -= 1;
      found.push({ sign: " ", text: one[x] });
    }
    if (edits === 0) break;
    if (isDown) {
      y -= 1;
      found.push({ sign: "+", text: other[y] });
    } else {
      x -= 1;
      found.push({ sign: "-", text: one[x] });
    }
  }
  return found.reverse();
}

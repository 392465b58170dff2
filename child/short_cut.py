"""The short cut: a line of the usual form goes to the engine as it is, and Python does not parse it.

A round trip is one line in and one out. The way through `protocol` parses it with Python's JSON, builds a
message of named tuples, and turns the parts of that back into JSON for the prelude, which parses them again:
that is a third of the child's time, and most of the memory that a forked child has to copy. So a line of the
usual form is parsed once, by the engine, and judged by the prelude (`prelude/7-turns.js`).

It is a short cut and no second way: it only recognises what is in order, and what follows is done by the same
code (`Execution`). Where a line is not in order, the prelude changes nothing, and the line goes the usual
way, which says what is wrong. `tests/child/test_short_cut.py` holds that both give the same bytes, for
thousands of lines; ``--no-short-cut`` turns it off.

What must be seen here, before the engine reads the line, is where its JSON.parse and `protocol` differ:

- A host writes the members of the envelope in one order, and `_HEAD` has it. An ``id`` of more than nine
  digits goes the usual way.
- `"params"` occurs once, so no member of the envelope is there twice, and the id is the one at the head.
  A letter that is written as an escape could be a part of a name, so such lines go the usual way.
- JSON.parse reads 5.0 as 5, and `protocol` refuses it as a number of a budget. So each budget must be written
  as our hosts write it; the prelude compares their number with those that it has found.
- JSON.parse reads a number that is too large for a double as an infinity, and `protocol` refuses it wherever
  it stands, also in a member that a later one of the same name replaces. Such a number has an exponent of
  three digits, or two hundred digits before it.
- The engine reads bytes that are no UTF-8; Python refuses them.
- All else is read alike, but for -0, which the prelude finds (`isExact`).

Where the heap is not far from its limit, lines go the usual way, too (`Heap.is_room_scarce`): the usual way
parses their parts one after the other, and parsing all at once must not be what fills the heap.
"""

from __future__ import annotations

import re

from flowcage.child.sandbox.crossing import UsualLine
from flowcage.protocol import strictjson

# What one read brings: longer lines are rare, and their parsing is not what takes the time.
_MOST_BYTES = 64 * 1024
_HEAD = re.compile(
    rb'\{"jsonrpc":"2\.0","id":(0|[1-9][0-9]{0,8}),"method":"(run|advance|replay)","params":\{', re.DOTALL
)
_BUDGET = re.compile(rb'"budget":\{"total":(?:null|0|[1-9][0-9]{0,15}),"spent":(?:0|[1-9][0-9]{0,15})\}')
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
# With all digits as 0 and without signs, what is in each text that `_HUGE` finds. A search for a text takes a
# tenth of the time that one for an expression takes.
_DIGITS = bytes.maketrans(b"123456789E", b"000000000e")
_SIGNS = b"+-"
_LONG_EXPONENT = b"0e000"
_MANY_DIGITS = b"0" * 200
_HUGE = re.compile(rb"[\s\[:,]-?[0-9][0-9.]*[eE][-+]?[0-9]{3}|[0-9]{200}")


def usual_line(data: bytes, max_message_bytes: int) -> UsualLine | None:
    """What was read as one line of the usual form; None where it is not one."""
    found = _HEAD.match(data)
    if found is None or data.find(b"\n") != len(data) - 1:
        return None
    if len(data) > _MOST_BYTES or len(data) - 1 > max_message_bytes or not _is_read_alike(data, found.end()):
        return None
    budgets = data.count(b'"budget"')
    if budgets and len(_BUDGET.findall(data)) != budgets:
        return None
    return UsualLine(data, found[2].decode(), int(found[1]), budgets)


def _is_read_alike(data: bytes, start: int) -> bool:
    if data.find(b'"params"', start) >= 0 or (b"\\u00" in data and _ESCAPED_LETTER.search(data)):
        return False
    digits = data.translate(_DIGITS, _SIGNS)
    if (_LONG_EXPONENT in digits or _MANY_DIGITS in digits) and _HUGE.search(data):
        return False
    try:
        if not data.isascii():
            data.decode()
        if len(data) > 2 * strictjson.MAX_DEPTH:  # a shorter one cannot be nested too deep and be JSON
            strictjson.check_structure(data)
    except ValueError:
        return False
    return True

"""Every kind of finding: how bad it is, and what it says. docs/check.md has the same table."""

from flowcage._hints import NamedTuple
from flowcage.protocol.sources.findings import Severity


class Rule(NamedTuple):
    """One kind of finding; `severity` is the usual one: what throws in every run is an error."""

    severity: Severity
    says: str


RULES: dict[str, Rule] = {
    "absent_global": Rule(
        "warning", "a name of other runtimes that a workflow does not have, such as `Date`"
    ),
    "unknown_global": Rule("warning", "a name that nothing declares"),
    "bad_assignment": Rule(
        "warning", "an assignment to a constant, to a global, or to what nothing declares"
    ),
    "member_of_nothing": Rule("warning", "a member of a constant that is undefined or null"),
    "refused_import": Rule("warning", "`import()` of anything but `workflow:extra` and `workflow:sandbox`"),
    "wrong_argument": Rule(
        "warning", "an argument that a helper refuses: a call in place of a function, an option out of range"
    ),
    "unknown_option": Rule("warning", "an option of `agent()` that is nearly one that flowcage knows"),
    "functions_not_called": Rule("warning", "`Promise.all()` of functions, which it does not call"),
    "unawaited_call": Rule("warning", "a call whose promise nothing awaits; also by `forEach` and `map`"),
    "promise_used": Rule("warning", "a promise that is used as if it were its result"),
    "promise_in_value": Rule("warning", "a promise in the result, or in `log()`"),
    "promise_in_prompt": Rule("warning", "a promise that becomes text"),
    "object_in_prompt": Rule("warning", "an object, undefined or null that becomes text"),
    "lost_value": Rule(
        "warning", "a Set, Map, Error or RegExp where JSON is sent, or the average of nothing"
    ),
    "no_result": Rule("warning", "a script without `return`; a note where it calls something all the same"),
    "unknown_phase": Rule("warning", "a phase that `meta.phases` does not have"),
    "unused_phase": Rule("note", "an entry of `meta.phases` that nothing begins"),
    "meta_not_first": Rule("note", "`meta` behind other statements, which other runtimes refuse"),
    "meta_without_name": Rule("note", "a `meta` without a name"),
    "invalid_schema": Rule("warning", "a schema that is none: the call rejects"),
    "schema_contradiction": Rule("warning", "a schema that no answer satisfies"),
    "schema_checks_nothing": Rule("warning", "a schema that every answer satisfies"),
    "schema_no_effect": Rule("warning", "a keyword that has no effect where it stands"),
    "endless_loop": Rule("warning", "a loop without a bound that goes on for as long as an agent fails"),
    "unreachable_code": Rule("warning", "statements that no run gets to"),
    "not_read": Rule("note", "the source is too large, or written in a way that the linter does not know"),
}

"""What is said of a source that does not compile: the true cause, at its place, with what to do."""

from __future__ import annotations

import pytest

from .child_process import ChildProcess

END = "unexpected end of the source"

UNCLOSED = {
    "a call": ('return agent("x"', 1, 17, END),
    "an indented call": ('  return await agent("x"\n', 2, 1, END),
    "an array": ("return [1, 2", 1, 13, END),
    "a parenthesis": ("return (1", 1, 10, END),
    "a string": ('return "a', 1, 8, "unexpected end of string"),
    "a template": ("return `a", 1, 8, "unexpected end of string"),
    "an operator": ("const x = 1;\nreturn x +", 2, 11, END),
    "a block": ("if (args.n) {\n  return 1;\n", 3, 1, END),
    "a call in a module": ('await agent("x"', 1, 16, END),
    "a call before others": ("const a = f(1;\nreturn a;", 1, 14, "Unexpected token ';'"),
    "a call after a return": ("if (args.n) return 1;\nreturn f(2;", 2, 11, "Unexpected token ';'"),
}


@pytest.mark.parametrize(("source", "line", "column", "message"), UNCLOSED.values(), ids=UNCLOSED)
@pytest.mark.parametrize("dialect", ["auto", "script"])
def test_what_is_not_closed_is_told_and_not_the_return(
    child: ChildProcess, source: str, line: int, column: int, message: str, dialect: str
) -> None:
    failure = child.failure_of(source, dialect=dialect)
    assert failure.kind == "syntax"
    assert message in failure.message
    assert (failure.data["line"], failure.data["column"]) == (line, column)


NULS = {
    "at the end": ("return 1;\0", 1, 10),
    "in an expression": ("const x = 1;\nconst y = x \0 1;\nreturn y;", 2, 13),
    "alone": ("\0", 1, 1),
    "in a module": ("export default 1;\n\0", 2, 1),
}


@pytest.mark.parametrize(("source", "line", "column"), NULS.values(), ids=NULS)
def test_a_nul_outside_of_text_is_named(child: ChildProcess, source: str, line: int, column: int) -> None:
    failure = child.failure_of(source)
    assert "unexpected NUL character" in failure.message
    assert "\0" not in failure.message
    assert (failure.data["line"], failure.data["column"]) == (line, column)


@pytest.mark.parametrize("text", ["'a\0b'", "`a\0b`", "/* \0 */ 'a\0b'", "/a\0b/.source"])
def test_a_nul_in_text_is_text(child: ChildProcess, text: str) -> None:
    assert child.result_of(f"// \0\nreturn {text};") == "a\0b"


# What the grammar does not know, or takes for something else, the engine knows.
BEYOND_THE_GRAMMAR = {
    "a flag of regular expressions": "return /[\\p{L}--[a-z]]/v.test('É');",
    "using": "{ using x = { [Symbol.dispose]() {} }; return true; }",
    "an import with attributes": "import extra from 'workflow:extra' with { }; return extra !== undefined;",
    "an HTML comment in text": "return '<!-- x'.length === 6;",
}


@pytest.mark.parametrize("source", BEYOND_THE_GRAMMAR.values(), ids=BEYOND_THE_GRAMMAR)
def test_a_script_is_one_although_the_grammar_may_not_know_all_of_it(
    child: ChildProcess, source: str
) -> None:
    assert child.result_of(source) is True


def test_columns_are_counted_in_characters(child: ChildProcess) -> None:
    failure = child.failure_of("const a = 'é𝄞'; const = 2;\nreturn a;")
    assert (failure.data["line"], failure.data["column"]) == (1, 23)


TYPESCRIPT = {
    "interface F { a: string }": 1,
    "export interface F { a: string }": 18,
    "type X = string;": 6,
    "export type X = { a: 1 };": 13,
    "enum E { A }": 1,
    "const enum E { A }": 7,
    "declare const x: string;": 9,
    "namespace N { }": 11,
    "const a: string[] = [];": 8,
    "let a: Map<string, number> = new Map();": 6,
    "let v: string | null = null;": 6,
    "const x: { a: number; b?: string } = { a: 1 };": 8,
    "const f = (x: Finding) => x;": 13,
    "const f = (x?: string) => x;": 13,
    "const f: () => void = () => {};": 8,
    "function f(a): string { }": 14,
    "async function f(): Promise<void> {}": 19,
    "function f<T>(x) { return x }": 11,
    "const f = <T,>(x) => x;": 11,
    "try {} catch (e: unknown) {}": 16,
    "const { a, b }: X = args;": 7,
    "const x = args as Foo;": 16,
    "const x = (await parallel([])) as Finding[];": 32,
    "const x = {} as const;": 14,
    "const x = args satisfies Foo;": 16,
    "args!.x;": 5,
    "log(args!);": 9,
    "const m = new Map<string, number>();": 33,
    "const s = new Set<string>();": 27,
    "class A { private x = 1 }": 19,
    "class A { x: number = 1 }": 12,
    "class A { constructor(private x) {} }": 23,
    "class A implements B {}": 9,
    "abstract class A {}": 10,
    'import type { X } from "./x";': 13,
    'import { type X } from "./x";': 15,
    "export default async function (args: Args) {}": 36,
}


@pytest.mark.parametrize(("line", "column"), TYPESCRIPT.items(), ids=TYPESCRIPT)
@pytest.mark.parametrize("end", ["", "\nreturn 1;"], ids=["module", "script"])
def test_typescript_is_named_at_its_place(child: ChildProcess, line: str, column: int, end: str) -> None:
    failure = child.failure_of(f"const one = 1;\n{line}{end}")
    assert failure.kind == "syntax"
    assert "this is TypeScript, not JavaScript: `" in failure.message
    assert "compile the file first" in failure.message
    assert (failure.data["line"], failure.data["column"]) == (2, column)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("interface Finding { file: string; line: number }", "interface Finding { file: stri…"),
        ("enum E { A }", "enum E { A"),
    ],
)
def test_what_is_shown_of_typescript_is_marked_where_it_is_cut(
    child: ChildProcess, line: str, shown: str
) -> None:
    assert f"`{shown}`" in child.failure_of(line).message


def test_typescript_behind_a_return_is_named_too(child: ChildProcess) -> None:
    failure = child.failure_of("if (!args.n) return null;\nconst a: string[] = [];\nreturn a;")
    assert "this is TypeScript" in failure.message
    assert failure.data["line"] == 2


@pytest.mark.parametrize(
    "source",
    [
        "const a = ;",
        "const a = {b: 1, c 2};",
        "foo(label: 'x');",
        "foo(label: 5);",
        "const a = b ? c : ;",
        "if (a) { return 1 } else return 2 }",
        "const as = 1 as;",
        "for (const x off y) {}",
        "const s = 'interface Foo {' + ;",
        "const s = `const a: string = 1` + ;",
        "// const a: string\nconst = 5;",
        "let a b: 5",
        "!",
        "a! b",
        "class A { x 1 }",
        "return;\nconst a = (",
    ],
)
def test_broken_javascript_is_not_taken_for_typescript(child: ChildProcess, source: str) -> None:
    failure = child.failure_of(source)
    assert failure.kind == "syntax"
    assert "TypeScript" not in failure.message


def test_type_arguments_that_javascript_takes_for_comparisons_are_named_when_they_run(
    child: ChildProcess,
) -> None:
    failure = child.failure_of("return await agent<string>('x');")
    assert "string is not defined: this is a type of TypeScript" in failure.message

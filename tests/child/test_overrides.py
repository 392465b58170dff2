"""Assigning to instances what their prototypes protect: the language allows it, and the prototype stays."""

from __future__ import annotations

import pytest

from .child_process import ChildProcess

INSTANCES = ["Promise.resolve()", "() => 1", "async () => 1", "function* () {}", "async function* () {}"]


@pytest.mark.parametrize("instance", INSTANCES)
def test_an_instance_takes_a_constructor_of_its_own(child: ChildProcess, instance: str) -> None:
    source = f"""
        const value = {instance};
        value.constructor = 5;
        const found = Object.getOwnPropertyDescriptor(value, "constructor");
        const {{ enumerable, writable, configurable }} = found;
        export default [value.constructor, enumerable, writable, configurable];
    """
    assert child.result_of(source) == [5, True, True, True]


def test_a_prototype_made_the_old_way_takes_its_constructor(child: ChildProcess) -> None:
    source = """
        function Task() {}
        Task.prototype = Object.create(Promise.prototype);
        Task.prototype.constructor = Task;
        export default new Task().constructor === Task;
    """
    assert child.result_of(source) is True


@pytest.mark.parametrize("instance", INSTANCES)
@pytest.mark.parametrize(
    "attempt",
    [
        "prototype.constructor = 5",
        "delete prototype.constructor",
        "Object.defineProperty(prototype, 'constructor', { value: 5 })",
        "Reflect.set(prototype, 'constructor', 5) || (() => { throw new TypeError(); })()",
        "Object.getOwnPropertyDescriptor(prototype, 'constructor').set.call(prototype, 5)",
    ],
)
def test_the_prototype_keeps_its_constructor(child: ChildProcess, instance: str, attempt: str) -> None:
    source = f"""
        const prototype = Object.getPrototypeOf({instance});
        const before = prototype.constructor;
        let name = "none";
        try {{ {attempt}; }} catch (e) {{ name = e.name; }}
        export default [name, prototype.constructor === before];
    """
    assert child.result_of(source) == ["TypeError", True]


@pytest.mark.parametrize("value", ["Object.freeze(Promise.resolve())", "Object.preventExtensions(() => 1)"])
def test_an_instance_that_takes_no_member_throws_as_ever(child: ChildProcess, value: str) -> None:
    source = f"""
        const value = {value};
        let name; try {{ value.constructor = 5; }} catch (e) {{ name = e.name; }}
        export default [name, Object.hasOwn(value, "constructor")];
    """
    assert child.result_of(source) == ["TypeError", False]


@pytest.mark.parametrize("name", ["constructor", "toString", "message", "toJSON", "then", "valueOf"])
def test_other_members_of_instances_can_be_assigned(child: ChildProcess, name: str) -> None:
    source = f"""
        const made = [
            new Error("x"), new RangeError("x"), new Map(), new Set(), [], /x/, {{}}, function () {{}},
            agent("x"), [].values(), new (class A {{}})(), Object.create(Error.prototype), new WeakMap(),
            Object(1), Object("s"),
        ];
        const refused = [];
        for (const value of made)
            try {{ value.{name} = 5; if (value.{name} !== 5) refused.push("lost"); }}
            catch (e) {{ refused.push(`${{Object.prototype.toString.call(value)}}: ${{e.message}}`); }}
        export default refused;
    """
    assert child.result_of(source) == []

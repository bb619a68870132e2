"""Schemas from type hints, and objects from inputs. The last tests need a server."""

# ruff: noqa: UP045, RUF012

from __future__ import annotations

import enum
import json
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Callable, Generic, Literal, NewType, Optional, TypedDict, TypeVar, Union

import pytest

import rhythm
from rhythm.schema import Schemas, build, hints_of
from rhythm.task import Task, tasks_of
from rhythm.testing import run

Cents = NewType("Cents", int)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(TypedDict):
    street: str
    zip: int


class Contact(TypedDict, total=False):
    mail: str
    address: Address


@dataclass
class Item:
    sku: str
    qty: int = 1
    price: Optional[Decimal] = None
    parts: list[Item] = field(default_factory=list)


@dataclass
class Order:
    id: uuid.UUID
    items: list[Item]
    at: Optional[datetime] = None
    colour: Colour = Colour.RED
    secret: int = field(default=0, init=False)


def schema_of(hint: Any) -> Any:
    schemas = Schemas()
    return schemas.whole(schemas.of(hint))


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (str, {"type": "string"}),
        (None, {"type": "null"}),
        (Any, {}),
        (object, {}),
        (dict, {"type": "object"}),
        (dict[str, Any], {"type": "object"}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (dict[int, str], {"type": "object"}),
        (list, {"type": "array"}),
        (Sequence[bool], {"type": "array", "items": {"type": "boolean"}}),
        (set[str], {"type": "array", "items": {"type": "string"}}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (
            tuple[int, str],
            {"type": "array", "minItems": 2, "maxItems": 2, "prefixItems": [{"type": "integer"}, {"type": "string"}]},
        ),
        (Optional[int], {"type": ["integer", "null"]}),
        (Union[int, list[int]], {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]}),
        (Union[int, Any], {}),
        (Optional[Decimal], {"type": ["number", "string", "null"]}),
        (Union[Path, str], {"type": "string"}),
        (Union[list[int], Sequence[int]], {"type": "array", "items": {"type": "integer"}}),
        (Annotated[int, {"unit": "c"}], {"type": "integer"}),
        (Literal["a", 1, None], {"enum": ["a", 1, None]}),
        (Annotated[int, "whatever"], {"type": "integer"}),
        (Cents, {"type": "integer"}),
        (Colour, {"enum": ["red", "blue"]}),
        (datetime, {"type": "string", "format": "date-time"}),
        (date, {"type": "string", "format": "date"}),
        (uuid.UUID, {"type": "string", "format": "uuid"}),
        (bytes, {}),
        (Callable[[int], int], {}),
        (
            Address,
            {
                "type": "object",
                "properties": {"street": {"type": "string"}, "zip": {"type": "integer"}},
                "required": ["street", "zip"],
            },
        ),
    ],
)
def test_the_schema_of_a_hint(hint: Any, schema: Any) -> None:
    assert schema_of(hint) == schema


def test_classes_name_each_other() -> None:
    assert schema_of(Contact) == {
        "type": "object",
        "properties": {"mail": {"type": "string"}, "address": {"$ref": "#/$defs/Address"}},
        "$defs": {"Address": schema_of(Address)},
    }
    order = schema_of(Order)
    assert order["required"] == ["id", "items"]
    assert sorted(order["properties"]) == ["at", "colour", "id", "items"]
    assert order["properties"]["items"] == {"type": "array", "items": {"$ref": "#/$defs/Item"}}
    assert order["$defs"]["Item"]["properties"]["parts"]["items"] == {"$ref": "#/$defs/Item"}
    assert schema_of(Item)["$ref"] == "#/$defs/Item"


def test_objects_are_built_with_what_is_inside() -> None:
    number = uuid.uuid4()
    order = build(
        Order,
        {
            "id": str(number),
            "items": [{"sku": "tea", "price": "1.20", "parts": [{"sku": "leaf", "qty": 9}]}, {"sku": "pot"}],
            "at": "2026-01-31T12:00:00Z",
            "colour": "blue",
            "unknown": True,
        },
    )
    parts = [Item("leaf", 9)]
    items = [Item("tea", price=Decimal("1.20"), parts=parts), Item("pot")]
    assert order == Order(number, items, datetime(2026, 1, 31, 12, tzinfo=timezone.utc), Colour.BLUE)
    assert build(Optional[list[Item]], None) is None
    assert build(dict[str, Item], {"a": {"sku": "x"}}) == {"a": Item("x")}
    assert build(Union[int, Item], 5) == 5
    with pytest.raises(TypeError, match="sku"):
        build(Item, {})


T = TypeVar("T")


@dataclass
class Cat:
    kind: Literal["cat"]
    name: str
    lives: Optional[Decimal] = None


@dataclass
class Dog:
    name: str
    kind: Annotated[Literal["dog"], "tag"] = "dog"
    weight: Optional[float] = None


@dataclass
class Box(Generic[T]):
    content: T
    more: list[T] = field(default_factory=list)


@dataclass
class CatBox(Box[Cat]):
    open: bool = False


class Crate(TypedDict):
    items: list[Item]
    inner: Optional[Crate]


@dataclass
class Café:
    next: Optional[Café] = None


Parcel = NewType("Parcel", Item)


def test_of_several_classes_the_one_with_the_tag_is_built() -> None:
    pets = Union[Cat, Dog]
    assert build(pets, {"kind": "dog", "name": "x"}) == Dog("x")
    assert build(pets, {"name": "x"}) == Dog("x")
    assert build(pets, {"kind": "cat", "name": "x"}) == Cat("cat", "x")
    assert build(list[pets], [{"kind": "dog", "name": "x"}]) == [Dog("x")]  # type: ignore[valid-type]
    with pytest.raises(TypeError, match=r"expected Cat | Dog, found an object with 'kind'"):
        build(pets, {"kind": "cow", "name": "x"})
    with pytest.raises(TypeError, match="found 5"):
        build(pets, 5)
    assert build(Union[str, Item], {"sku": "x"}) == Item("x")
    assert build(Union[str, Item], "x") == "x"
    assert build(Union[list[Item], Item], {"sku": "x"}) == Item("x")
    assert build(Union[list[Item], Item], [{"sku": "x"}]) == [Item("x")]
    assert build(Union[list[int], list[Item]], [{"sku": "x"}]) == [Item("x")]
    assert build(Union[dict[str, int], Item], {"sku": "x"}) == Item("x")
    assert build(Union[Any, Item], {"sku": "x"}) == Item("x")


def test_numbers_and_texts_in_unions_become_what_is_named() -> None:
    assert build(Cat, {"kind": "cat", "name": "x", "lives": 1.5}).lives == Decimal("1.5")
    made = build(Dog, {"name": "x", "weight": 5}).weight
    assert (made, type(made)) == (5.0, float)
    assert [type(build(Union[float, int], n)) for n in (5, 5.5)] == [int, float]
    assert build(Union[datetime, str], "soon") == "soon"
    assert build(Union[int, date], "2026-01-31") == date(2026, 1, 31)
    assert build(Union[int, bool], True) is True
    # A plain type alone lets it pass, too.
    assert build(Optional[int], "5") == "5"
    assert build(Optional[Literal["a"]], "b") == "b"


def test_generic_classes_new_types_and_dicts_that_hold_classes_are_built() -> None:
    assert build(Box[Item], {"content": {"sku": "x"}, "more": [{"sku": "y"}]}) == Box(Item("x"), [Item("y")])
    assert build(Box, {"content": 1}) == Box(1)
    assert build(CatBox, {"content": {"kind": "cat", "name": "x"}}) == CatBox(Cat("cat", "x"))
    schema = schema_of(list[Union[Box[int], Box[str]]])
    assert schema["$defs"]["Box"]["properties"]["content"] == {"type": "integer"}
    assert schema["$defs"]["Box2"]["properties"]["more"] == {"type": "array", "items": {"type": "string"}}
    assert schema_of(Box[Annotated[int, {}]])["properties"]["content"] == {"type": "integer"}
    for hint, given, made in (
        (Box[Item], {"content": {"sku": "x"}}, Box(Item("x"))),
        (Parcel, {"sku": "x"}, Item("x")),
        (Crate, {"items": [{"sku": "x"}]}, {"items": [Item("x")]}),
        (Annotated[Item, {}], {"sku": "x"}, Item("x")),
        (Cents, 5, 5),
    ):
        assert called(only(rhythm.task(annotated(hint))), given) == made
    assert schema_of(Café) == {
        "$ref": "#/$defs/Café",
        "$defs": {
            "Café": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Café"}, {"type": "null"}]}}}
        },
    }


def only(*functions: Any) -> Task:
    (task,) = tasks_of(list(functions))
    return task


class Fake:
    id = name = queue = ""
    attempt = 3
    trace = cancellation = None


def called(task: Task, inputs: Any) -> Any:
    return task.call(json.dumps(inputs), rhythm.Context(Fake()))  # type: ignore[arg-type]


def test_a_task_publishes_the_schema_of_its_inputs_and_gets_what_it_names() -> None:
    @rhythm.task
    def pack(order: Order, ctx: rhythm.Context) -> Any:
        return [type(item).__name__ for item in order.items], ctx.attempt

    task = only(pack)
    assert json.loads(task.schema or "") == schema_of(Order)
    assert called(task, {"id": str(uuid.uuid4()), "items": [{"sku": "a"}]}) == (["Item"], 3)

    @rhythm.task
    def plain(inputs: dict[str, int]) -> Any:
        return inputs

    assert json.loads(only(plain).schema or "")["additionalProperties"] == {"type": "integer"}
    assert called(only(plain), {"n": "not looked at here"}) == {"n": "not looked at here"}

    @rhythm.task
    def untyped(inputs):  # type: ignore[no-untyped-def]
        return inputs

    @rhythm.task
    def nothing() -> int:
        return 1

    assert (only(untyped).schema, only(nothing).schema) == (None, None)

    @rhythm.task(input_schema={"type": "array"}, schema_check="refuse")
    def explicit(inputs: int) -> None: ...

    assert (only(explicit).schema, only(explicit).schema_check) == ('{"type": "array"}', "refuse")
    with pytest.raises(ValueError, match="schema_check"):
        rhythm.task(schema_check="maybe")(explicit)


def test_parameters_by_name() -> None:
    @rhythm.task
    def ship(*, to: Address, item: Item, express: bool = False, ctx: rhythm.Context) -> Any:
        return to["zip"], item.sku, express, ctx.attempt

    task = only(ship)
    schema = json.loads(task.schema or "")
    assert (schema["required"], schema["additionalProperties"]) == (["to", "item"], False)
    assert sorted(schema["properties"]) == ["express", "item", "to"]
    assert called(task, {"to": {"zip": 1}, "item": {"sku": "x"}, "express": True}) == (1, "x", True, 3)
    with pytest.raises(TypeError, match="by name"):
        called(task, [1])
    with pytest.raises(TypeError, match="item"):
        called(task, {"to": {"zip": 1}})

    @rhythm.task
    def more(*, a: int = 1, **rest: Any) -> Any:
        return a, rest

    assert "additionalProperties" not in json.loads(only(more).schema or "")
    assert called(only(more), {"b": 2}) == (1, {"b": 2})

    class Shop:
        @rhythm.task
        def open(self, item: Item) -> str:
            return item.sku

    assert called(only(*tasks_of_object(Shop())), {"sku": "y"}) == "y"


def tasks_of_object(shop: Any) -> list[Any]:
    return [shop.open]


def test_no_hint_keeps_a_worker_from_starting(caplog: pytest.LogCaptureFixture) -> None:
    pydantic = pytest.importorskip("pydantic")

    class Hook(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        call: Callable[[int], int]

    Hook.model_rebuild(_types_namespace={"Callable": Callable})

    class Loud(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        word: str = pydantic.Field(pattern="(?i)^abc$")

    assert only(rhythm.task(annotated(Hook))).schema is None
    assert "has no input schema" in caplog.text
    loud = only(rhythm.task(annotated(Loud)))
    assert (loud.check, json.loads(loud.schema or "")["properties"]["word"]["pattern"]) == ("off", "(?i)^abc$")
    assert "inputs are not checked" in caplog.text and "properties.word.pattern" in caplog.text
    # Who asks for a check gets it, or hears from the server.
    assert only(rhythm.task(schema_check="refuse")(annotated(Loud))).check == "refuse"
    assert only(rhythm.task(annotated(Literal["\x00"]))).schema is None
    assert only(rhythm.task(annotated(Literal["\ud800"]))).schema is None
    assert only(rhythm.task(annotated(Literal[tuple(f"{n:0100}" for n in range(3000))]))).schema is None
    assert only(rhythm.task(annotated(Literal["\\u0000", "é"]))).check is None


def test_models_of_one_name_are_told_apart() -> None:
    pydantic = pytest.importorskip("pydantic")

    def of(name: str, kind: Any) -> Any:
        line = pydantic.create_model("Line", value=(kind, ...))
        return pydantic.create_model(name, lines=(list[line], ...))

    schema = schema_of(tuple[of("Cart", int), of("Basket", str), of("Basket", int)])
    kinds = []
    for part in schema["prefixItems"]:
        line = schema["$defs"][part["$ref"].rpartition("/")[2]]["properties"]["lines"]["items"]["$ref"]
        kinds.append(schema["$defs"][line.rpartition("/")[2]]["properties"]["value"]["type"])
    assert kinds == ["integer", "string", "integer"]


def test_a_context_by_name_alone() -> None:
    @rhythm.task
    def ping(*, ctx: rhythm.Context) -> int:
        return ctx.attempt

    assert (only(ping).schema, called(only(ping), {}), called(only(ping), {"more": 1})) == (None, 3, 3)

    @rhythm.task
    def more(*, ctx: Optional[rhythm.Context] = None, **rest: Any) -> Any:
        return type(ctx).__name__, rest

    assert called(only(more), {"ctx": "mine", "a": 1}) == ("Context", {"a": 1})

    @rhythm.task
    def known(*, a: int, ctx: rhythm.Context) -> None: ...

    with pytest.raises(TypeError, match="task known needs a and does not take ctx, b"):
        called(only(known), {"ctx": 1, "b": 2})


def test_the_users_names_come_before_those_of_typing() -> None:
    def find(inputs: Pattern, other: Unknown) -> None: ...  # type: ignore[name-defined] # noqa: F821

    find.__globals__["Pattern"] = Item
    try:
        assert hints_of(find) == {"inputs": Item, "return": None}
    finally:
        del find.__globals__["Pattern"]


class Recorded:
    id = name = queue = ""
    attempt = 1
    trace = cancellation = progress = None

    def __init__(self, inputs: str) -> None:
        self.inputs = inputs
        self.failure: Any = None

    def fail(
        self, name: str, message: str, code: Any, stack: str, cause: Any, data: Any, retryable: bool, _: Any
    ) -> None:
        self.failure = (name, message, stack, retryable)


def failure(task: Task, inputs: Any) -> Any:
    attempt = Recorded(json.dumps(inputs))
    rhythm.Worker._run(SimpleNamespace(tasks={attempt.name: task}), attempt)  # type: ignore[arg-type]
    return attempt.failure


def test_inputs_that_cannot_be_built_are_not_tried_again() -> None:
    @rhythm.task
    def pack(order: Order) -> None:
        raise ValueError("another time")

    wrong = {"id": "no UUID", "items": []}
    name, message, stack, retryable = failure(only(pack), wrong)
    assert (name, message, retryable) == ("ValueError", "badly formed hexadecimal UUID string", False)
    # The traceback begins with the task's own code.
    _, _, stack, retryable = failure(only(pack), {"id": str(uuid.uuid4()), "items": []})
    assert retryable and stack.splitlines()[1].endswith("in pack")
    assert len(stack.splitlines()) == 4, stack


def test_a_hint_that_only_type_checkers_know_spoils_no_other() -> None:
    @rhythm.task
    def odd(inputs: int, ctx: Unknown) -> None: ...  # type: ignore[name-defined] # noqa: F821

    assert only(odd).schema == '{"type": "integer"}'

    @rhythm.task
    def unknown(inputs: Unknown) -> None: ...  # type: ignore[name-defined] # noqa: F821

    assert only(unknown).schema is None


def test_pydantic_models_are_built_and_never_imported_by_us() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Line(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        sku: str = pydantic.Field(pattern="^[a-z]+$")
        due: Optional[date] = None
        inner: list[Line] = []

    class Cart(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        lines: list[Line]

    Line.model_rebuild(_types_namespace={"Line": Line, "Optional": Optional, "date": date})
    Cart.model_rebuild(_types_namespace={"Line": Line})

    def check_out(cart):  # type: ignore[no-untyped-def]
        return cart.lines[0].due

    check_out.__annotations__ = {"cart": Cart}
    task = only(rhythm.task(check_out))
    schema = json.loads(task.schema or "")
    assert schema["required"] == ["lines"]
    assert schema["$defs"]["Line"]["properties"]["sku"]["pattern"] == "^[a-z]+$"
    assert called(task, {"lines": [{"sku": "a", "due": "2026-01-31"}]}) == date(2026, 1, 31)
    with pytest.raises(pydantic.ValidationError):
        called(task, {"lines": [{"sku": "A"}]})
    assert json.loads(only(rhythm.task(name="l")(annotated(list[Line]))).schema or "")["items"]

    code = "import rhythm, sys; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def annotated(hint: Any) -> Any:
    return annotated_as(hint, lambda inputs: inputs)


def annotated_as(hint: Any, work: Any) -> Any:
    def function(inputs):  # type: ignore[no-untyped-def]
        return work(inputs)

    function.__annotations__ = {"inputs": hint}
    return function


def test_a_simulated_run_builds_too(tmp_path: Any) -> None:
    flow = tmp_path / "order.flow"
    flow.write_text("return await Task.run('pack', {sku: 'tea', qty: 2})")

    @rhythm.task
    def pack(item: Item) -> int:
        return item.qty

    assert run(flow, handlers=[pack]).value() == 2


def test_a_worker_registers_the_schemas(client: rhythm.Client, work: Callable[..., rhythm.Worker], queue: str) -> None:
    name = f"pack-{queue}"

    @rhythm.task(name=name, queue=queue, schema_check="refuse")
    def pack(order: Order) -> list[str]:
        return [item.sku for item in order.items]

    work(pack)
    good = {"id": str(uuid.uuid4()), "items": [{"sku": "a"}, {"sku": "b", "more": 1}]}
    run_id = client.enqueue(name, good, queue=queue)
    assert client.wait(run_id, timeout=10).value() == ["a", "b"]
    with pytest.raises(rhythm.DefinitionError) as refused:
        client.enqueue(name, {"id": "x", "items": [{"sku": 1}]})
    assert refused.value.code == "RH104"
    assert sorted((refused.value.detail or "").splitlines()) == [
        'id: expected a UUID, found string "x"',
        "items[0].sku: expected string, found number 1",
    ]


def test_a_worker_starts_with_a_schema_that_no_server_can_check(
    client: rhythm.Client, work: Callable[..., rhythm.Worker], queue: str
) -> None:
    pydantic = pytest.importorskip("pydantic")

    class Loud(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        word: str = pydantic.Field(pattern="(?i)^abc$")

    task = rhythm.task(name=f"loud-{queue}", queue=queue)(annotated_as(Loud, lambda loud: loud.word))
    work(task)
    run_id = client.enqueue(f"loud-{queue}", {"word": "ABC"}, queue=queue)
    assert client.wait(run_id, timeout=10).value() == "ABC"
    # What cannot be built is not tried again.
    run_id = client.enqueue(f"loud-{queue}", {"word": "x"}, queue=queue)
    failed = client.wait(run_id, timeout=10)
    assert (failed.state, (failed.error or {})["name"]) == ("failed", "ValidationError")

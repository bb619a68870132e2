"""From type hints to JSON Schema, and from decoded JSON to the objects that the hints name.

Pydantic is never imported: its models are known by their methods.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import inspect
import json
import pathlib
import sys
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Union

_PLAIN: dict[Any, dict[str, Any]] = {
    type(None): {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    decimal.Decimal: {"type": ["number", "string"]},
    pathlib.Path: {"type": "string"},
}

_LISTS: tuple[Any, ...] = (
    list,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Set,
    collections.abc.Collection,
    collections.abc.Iterable,
)
_OBJECTS: tuple[Any, ...] = (dict, collections.abc.Mapping, collections.abc.MutableMapping)

#: `X | Y`, since Python 3.10.
_UNIONS: tuple[Any, ...] = (Union, getattr(types, "UnionType", Union))


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The type hints of a function, without those that cannot be resolved."""
    function = inspect.unwrap(getattr(function, "__func__", function))
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:
        # One name that is known to type checkers alone spoils them all, so each is tried for itself.
        found = {}
        for name, hint in getattr(function, "__annotations__", {}).items():
            try:
                space = {**vars(typing), **getattr(function, "__globals__", {})}
                found[name] = eval(hint, space) if isinstance(hint, str) else hint
            except Exception:
                continue
        return found


class Schemas:
    """Makes the schema of one task. Classes become definitions, so that they may name each other."""

    def __init__(self) -> None:
        self._definitions: dict[str, Any] = {}
        #: By class, or by what `_key` makes of a generic one with its arguments.
        self._names: dict[Any, str] = {}

    def whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Adds the definitions to a schema; a class that only the whole is, is written in place."""
        definitions = dict(self._definitions)
        if set(schema) == {"$ref"}:
            name = schema["$ref"].rpartition("/")[2]
            if json.dumps(schema["$ref"]) not in json.dumps(definitions):
                schema = definitions.pop(name)
        return {**schema, "$defs": definitions} if definitions else schema

    def of(self, hint: Any) -> dict[str, Any]:
        """The schema of a type; `{}`, which is anything, where JSON Schema has no word for it."""
        plain = _PLAIN.get(_key(hint))
        if plain is not None:
            return dict(plain)
        if hint is None:
            return {"type": "null"}
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if _is_marker(origin):
            return self.of(arguments[0])
        if origin is typing.Literal:
            return {"enum": list(arguments)}
        if origin in _UNIONS:
            return self._union([self.of(one) for one in arguments])
        kind = origin or hint
        if kind in _LISTS:
            items = self.of(arguments[0]) if arguments else {}
            return {"type": "array", "items": items} if items else {"type": "array"}
        if kind is tuple:
            return self._tuple(arguments)
        if kind in _OBJECTS:
            values = self.of(arguments[1]) if len(arguments) == 2 and arguments[0] is str else {}
            return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
        if not isinstance(kind, type):
            return self.of(hint.__supertype__) if hasattr(hint, "__supertype__") else {}
        if issubclass(kind, enum.Enum):
            return _enumeration(kind)
        if is_model(kind):
            return self._model(kind)
        if dataclasses.is_dataclass(kind) or is_typed_dict(kind):
            return self._named(hint, kind)
        return {}

    def object(self, fields: Mapping[str, tuple[Any, bool]]) -> dict[str, Any]:
        """The schema of an object with these fields: their types, and whether they have to be there."""
        schema: dict[str, Any] = {"type": "object", "properties": {n: self.of(t) for n, (t, _) in fields.items()}}
        required = [name for name, (_, needed) in fields.items() if needed]
        return {**schema, "required": required} if required else schema

    def _named(self, hint: Any, kind: type) -> dict[str, Any]:
        key = _key(hint)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = self._free(kind.__name__)
            self._definitions[name] = {}
            self._definitions[name] = self.object(_fields(hint))
        return {"$ref": f"#/$defs/{name}"}

    def _model(self, kind: Any) -> dict[str, Any]:
        name = self._names.get(kind)
        if name is None:
            made, inner = _model_schema(kind, "")
            if any(self._definitions.get(other, part) != part for other, part in inner.items()):
                # Another class of the same name is there.
                made, inner = _model_schema(kind, f"{kind.__name__}{len(self._definitions)}.")
            if set(made) == {"$ref"}:
                # A model that names itself.
                name = made["$ref"].rpartition("/")[2]
            else:
                name = self._free(kind.__name__, inner)
                inner[name] = made
            self._names[kind] = name
            self._definitions.update(inner)
        return {"$ref": f"#/$defs/{name}"}

    def _free(self, name: str, others: Mapping[str, Any] = types.MappingProxyType({})) -> str:
        number, free = 1, name
        while free in self._definitions or free in others:
            number += 1
            free = f"{name}{number}"
        return free

    @staticmethod
    def _union(parts: list[dict[str, Any]]) -> dict[str, Any]:
        if any(not part for part in parts):
            return {}
        if all(set(part) == {"type"} for part in parts):
            words = [part["type"] if isinstance(part["type"], list) else [part["type"]] for part in parts]
            # Several types may be texts in JSON.
            kinds = list(dict.fromkeys(word for some in words for word in some))
            return {"type": kinds if len(kinds) > 1 else kinds[0]}
        different = [part for at, part in enumerate(parts) if part not in parts[:at]]
        return {"anyOf": different} if len(different) > 1 else different[0]

    def _tuple(self, arguments: tuple[Any, ...]) -> dict[str, Any]:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return self.of(list[arguments[0]])  # type: ignore[valid-type]
        if not arguments:
            return {"type": "array"}
        parts = [self.of(one) for one in arguments if one != ()]
        fixed = {"type": "array", "minItems": len(parts), "maxItems": len(parts)}
        return {**fixed, "prefixItems": parts} if parts else fixed


def needs_building(hint: Any, inside: tuple[Any, ...] = ()) -> bool:
    """Whether a value of this type is more than decoded JSON: it is, or holds, an object of a class."""
    hint = _bare(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return False
    kind = origin or hint
    if isinstance(kind, type) and (is_model(kind) or dataclasses.is_dataclass(kind)):
        return True
    if is_typed_dict(kind) and kind not in inside:
        return any(needs_building(field, (*inside, kind)) for field, _ in _fields(hint).values())
    return any(needs_building(one, inside) for one in arguments)


def build(hint: Any, value: Any) -> Any:
    """Makes of decoded JSON what a hint names. Fields that a class does not have are left out: callers may be ahead."""
    hint = _bare(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in _UNIONS:
        return _build_one_of(arguments, value)
    kind: Any = origin or hint
    if not isinstance(kind, type):
        return value
    if is_model(kind):
        model: Any = kind
        return model.model_validate(value)
    if isinstance(value, list):
        if kind is tuple and arguments and arguments[-1] is not Ellipsis:
            return tuple(build(one, item) for one, item in zip(arguments, value))
        if kind in _LISTS or kind is tuple:
            made = [build(arguments[0], item) for item in value] if arguments else value
            return kind(made) if kind in (set, frozenset, tuple) else made
        return value
    if isinstance(value, dict):
        if kind in _OBJECTS and len(arguments) == 2:
            return {key: build(arguments[1], item) for key, item in value.items()}
        if dataclasses.is_dataclass(kind):
            fields = _fields(hint)
            return kind(**{name: build(field, value[name]) for name, (field, _) in fields.items() if name in value})
        if is_typed_dict(kind):
            fields = _fields(hint)
            return {key: build(fields[key][0], item) if key in fields else item for key, item in value.items()}
    return _build_plain(kind, value)


def _build_plain(kind: Any, value: Any) -> Any:
    if issubclass(kind, enum.Enum):
        return kind(value)
    if isinstance(value, str):
        if kind in (datetime.datetime, datetime.date, datetime.time):
            # Before 3.11 it reads no Z.
            return kind.fromisoformat(value[:-1] + "+00:00" if value.endswith(("Z", "z")) else value)
        if kind in (uuid.UUID, decimal.Decimal, pathlib.Path):
            return kind(value)
    if kind is decimal.Decimal and type(value) in (int, float):
        return decimal.Decimal(str(value))
    return float(value) if kind is float and type(value) is int else value


def _build_one_of(hints: tuple[Any, ...], value: Any) -> Any:
    """The first of several types that takes the value. Where all are plain, a value that fits none stays as it is, as
    with a single one."""
    fitting = [hint for hint in hints if _may_be(hint, value)]
    if type(value) is int and int in fitting:
        # It would become a float.
        fitting = [hint for hint in fitting if hint is not float]
    error: Exception | None = None
    # What takes anything comes last.
    for hint in sorted(fitting, key=lambda hint: _bare(hint) in (Any, object)):
        try:
            return build(hint, value)
        except Exception as failed:
            error = error or failed
    if error is not None:
        raise error
    if any(needs_building(hint) for hint in hints):
        names = " | ".join(getattr(hint, "__name__", None) or str(hint) for hint in hints)
        raise TypeError(f"expected {names}, found {_shown(value)}")
    return value


def _may_be(hint: Any, value: Any) -> bool:
    """Whether a value is of the kind of JSON that a type is written as, and has the tags that a class asks for."""
    hint = _bare(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return any(one == value and isinstance(one, bool) is isinstance(value, bool) for one in arguments)
    if origin in _UNIONS:
        return any(_may_be(one, value) for one in arguments)
    kind = origin or hint
    if kind is None or kind is type(None):
        return value is None
    if not isinstance(kind, type) or kind is object or is_model(kind) or issubclass(kind, enum.Enum):
        # Anything; or it says no by itself.
        return True
    if kind in _PLAIN:
        return _is_of_types(_PLAIN[kind]["type"], value)
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        return (
            isinstance(value, list)
            and len(value) == len([one for one in arguments if one != ()])
            and all(_may_be(one, item) for one, item in zip(arguments, value))
        )
    if kind in _LISTS or kind is tuple:
        return isinstance(value, list) and (not arguments or all(_may_be(arguments[0], item) for item in value))
    if kind in _OBJECTS:
        return isinstance(value, dict) and (
            len(arguments) != 2 or all(_may_be(arguments[1], item) for item in value.values())
        )
    if dataclasses.is_dataclass(kind) or is_typed_dict(kind):
        return isinstance(value, dict) and all(_is_tagged(name, *field, value) for name, field in _fields(hint).items())
    return True


def _is_tagged(name: str, hint: Any, needed: bool, value: dict[str, Any]) -> bool:
    """Whether an object has a field that it needs; and if its type is `Literal`, one of these values in it."""
    if name not in value:
        return not needed
    return typing.get_origin(_bare(hint)) is not typing.Literal or _may_be(hint, value[name])


def _is_of_types(words: Any, value: Any) -> bool:
    if isinstance(value, bool):
        return bool(words == "boolean")
    if isinstance(value, int):
        return words in ("integer", "number") or "number" in words
    if isinstance(value, float):
        return (words == "integer" and value.is_integer()) or "number" in words
    return isinstance(value, str) and "string" in words


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object with " + (", ".join(map(repr, list(value)[:6])) or "nothing")
    return "an array" if isinstance(value, list) else json.dumps(value)[:40]


def _bare(hint: Any) -> Any:
    """A type without what is said around it: Annotated and its like, NewType."""
    while True:
        if _is_marker(typing.get_origin(hint)):
            hint = typing.get_args(hint)[0]
        elif hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        else:
            return hint


def is_model(kind: Any) -> bool:
    """Whether a class is a model of Pydantic."""
    return callable(getattr(kind, "model_json_schema", None)) and callable(getattr(kind, "model_validate", None))


def _model_schema(kind: Any, prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of a model, and those of the classes that it names, whose names begin with a prefix."""
    made = kind.model_json_schema(ref_template=f"#/$defs/{prefix}{{model}}")
    return made, {prefix + name: part for name, part in made.pop("$defs", {}).items()}


def is_typed_dict(kind: Any) -> bool:
    """Whether a class is a TypedDict."""
    return isinstance(kind, type) and issubclass(kind, dict) and hasattr(kind, "__total__")


def _is_marker(origin: Any) -> bool:
    """Annotated, Required, NotRequired, Final, ClassVar: also those of typing_extensions."""
    if origin is typing.Annotated or origin is typing.Final:
        return True
    return getattr(origin, "_name", None) in ("Required", "NotRequired", "ReadOnly")


def _class_hints(kind: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except Exception:
        known = vars(sys.modules.get(kind.__module__, typing))
        found = {}
        for name, hint in getattr(kind, "__annotations__", {}).items():
            try:
                found[name] = eval(hint, {**vars(typing), **known}) if isinstance(hint, str) else hint
            except Exception:
                found[name] = Any
        return found


def _fields(hint: Any) -> dict[str, tuple[Any, bool]]:
    """The fields of a dataclass or TypedDict, with the arguments of a generic one in their places: types, and whether
    they have to be there."""
    kind: Any = typing.get_origin(hint) or hint
    fields = _dataclass_fields(kind) if dataclasses.is_dataclass(kind) else _typed_dict_fields(kind)
    given = _given(kind, typing.get_args(hint))
    return {name: (_filled(field, given), needed) for name, (field, needed) in fields.items()}


def _given(kind: Any, arguments: tuple[Any, ...]) -> dict[Any, Any]:
    """What a generic class and its bases are given for their type variables."""
    given: dict[Any, Any] = {}
    own = dict(zip(getattr(kind, "__parameters__", ()), arguments))
    for base in getattr(kind, "__orig_bases__", ()):
        origin = typing.get_origin(base)
        if isinstance(origin, type) and origin is not typing.Generic:
            given.update(_given(origin, tuple(_filled(one, own) for one in typing.get_args(base))))
    return {**given, **own}


def _filled(hint: Any, given: Mapping[Any, Any]) -> Any:
    if isinstance(hint, typing.TypeVar):
        return given.get(hint, Any)
    is_class = isinstance(hint, type) and typing.get_origin(hint) is None
    variables = () if is_class else getattr(hint, "__parameters__", ())
    return hint[tuple(given.get(one, Any) for one in variables)] if variables else hint


def _key(hint: Any) -> Any:
    """What a type is known by. The arguments of a generic one may be unhashable."""
    try:
        hash(hint)
    except TypeError:
        return repr(hint)
    return hint


def _dataclass_fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    hints = _class_hints(kind)
    none = dataclasses.MISSING
    return {
        field.name: (hints.get(field.name, Any), field.default is none and field.default_factory is none)
        for field in dataclasses.fields(kind)
        if field.init
    }


def _typed_dict_fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    required: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
    fields = {}
    for name, hint in _class_hints(kind).items():
        # With postponed annotations the class itself does not know it.
        marker = getattr(typing.get_origin(hint), "_name", None)
        needed = marker == "Required" or (marker != "NotRequired" and name in required)
        fields[name] = (hint, needed)
    return fields


def _enumeration(kind: type[enum.Enum]) -> dict[str, Any]:
    values = [member.value for member in kind]
    plain = all(isinstance(value, (str, int, float, bool, type(None))) for value in values)
    return {"enum": values} if plain and values else {}

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
                space = {**getattr(function, "__globals__", {}), **vars(typing)}
                found[name] = eval(hint, space) if isinstance(hint, str) else hint
            except Exception:
                continue
        return found


class Schemas:
    """Makes the schema of one task. Classes become definitions, so that they may name each other."""

    def __init__(self) -> None:
        self._definitions: dict[str, Any] = {}
        self._names: dict[Any, str] = {}

    def whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Adds the definitions to a schema; a class that only the whole is, is written in place."""
        definitions = dict(self._definitions)
        if set(schema) == {"$ref"}:
            name = schema["$ref"].rpartition("/")[2]
            if schema["$ref"] not in json.dumps(definitions):
                schema = definitions.pop(name)
        return {**schema, "$defs": definitions} if definitions else schema

    def of(self, hint: Any) -> dict[str, Any]:
        """The schema of a type; `{}`, which is anything, where JSON Schema has no word for it."""
        plain = _PLAIN.get(hint) if isinstance(hint, collections.abc.Hashable) else None
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
        if dataclasses.is_dataclass(kind):
            return self._named(kind, _dataclass_fields(kind))
        if is_typed_dict(kind):
            return self._named(kind, _typed_dict_fields(kind))
        return {}

    def object(self, fields: Mapping[str, tuple[Any, bool]]) -> dict[str, Any]:
        """The schema of an object with these fields: their types, and whether they have to be there."""
        schema: dict[str, Any] = {"type": "object", "properties": {n: self.of(t) for n, (t, _) in fields.items()}}
        required = [name for name, (_, needed) in fields.items() if needed]
        return {**schema, "required": required} if required else schema

    def _named(self, kind: type, fields: Mapping[str, tuple[Any, bool]]) -> dict[str, Any]:
        name = self._names.get(kind)
        if name is None:
            name = self._names[kind] = self._free(kind.__name__)
            self._definitions[name] = {}
            self._definitions[name] = self.object(fields)
        return {"$ref": f"#/$defs/{name}"}

    def _model(self, kind: Any) -> dict[str, Any]:
        name = self._names.get(kind)
        if name is None:
            made = kind.model_json_schema(ref_template="#/$defs/{model}")
            inner = made.pop("$defs", {})
            if set(made) == {"$ref"}:
                # A model that names itself.
                name = made["$ref"].rpartition("/")[2]
            else:
                name = self._free(kind.__name__)
                inner[name] = made
            self._names[kind] = name
            self._definitions.update(inner)
        return {"$ref": f"#/$defs/{name}"}

    def _free(self, name: str) -> str:
        number, free = 1, name
        while free in self._definitions:
            number += 1
            free = f"{name}{number}"
        return free

    @staticmethod
    def _union(parts: list[dict[str, Any]]) -> dict[str, Any]:
        if any(not part for part in parts):
            return {}
        if all(set(part) == {"type"} and isinstance(part["type"], str) for part in parts):
            return {"type": [part["type"] for part in parts]}
        return {"anyOf": parts}

    def _tuple(self, arguments: tuple[Any, ...]) -> dict[str, Any]:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return self.of(list[arguments[0]])  # type: ignore[valid-type]
        if not arguments:
            return {"type": "array"}
        parts = [self.of(one) for one in arguments if one != ()]
        fixed = {"type": "array", "minItems": len(parts), "maxItems": len(parts)}
        return {**fixed, "prefixItems": parts} if parts else fixed


def needs_building(hint: Any) -> bool:
    """Whether a value of this type is more than decoded JSON: it is, or holds, an object of a class."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return False
    if isinstance(hint, type) and (is_model(hint) or dataclasses.is_dataclass(hint)):
        return True
    return any(needs_building(one) for one in arguments)


def build(hint: Any, value: Any) -> Any:
    """Makes of decoded JSON what a hint names. Fields that a class does not have are left out: callers may be ahead."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if _is_marker(origin):
        return build(arguments[0], value)
    if origin in _UNIONS:
        return _build_one_of(arguments, value)
    kind = origin or hint
    if isinstance(value, list):
        if kind is tuple and arguments and arguments[-1] is not Ellipsis:
            return tuple(build(one, item) for one, item in zip(arguments, value))
        if kind in _LISTS or kind is tuple:
            made = [build(arguments[0], item) for item in value] if arguments else value
            return kind(made) if kind in (set, frozenset, tuple) else made
        return value
    if kind in _OBJECTS and isinstance(value, dict) and len(arguments) == 2:
        return {key: build(arguments[1], item) for key, item in value.items()}
    if not isinstance(kind, type):
        return build(hint.__supertype__, value) if hasattr(hint, "__supertype__") else value
    return _build_object(kind, value)


def _build_object(kind: Any, value: Any) -> Any:
    if is_model(kind):
        return kind.model_validate(value)
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        fields = _dataclass_fields(kind)
        made: Any = kind
        return made(**{name: build(hint, value[name]) for name, (hint, _) in fields.items() if name in value})
    if is_typed_dict(kind) and isinstance(value, dict):
        typed = _typed_dict_fields(kind)
        return {key: build(typed[key][0], item) if key in typed else item for key, item in value.items()}
    if issubclass(kind, enum.Enum):
        return kind(value)
    if isinstance(value, str):
        if kind in (datetime.datetime, datetime.date, datetime.time):
            # Before 3.11 it reads no Z.
            return kind.fromisoformat(value[:-1] + "+00:00" if value.endswith(("Z", "z")) else value)
        if kind in (uuid.UUID, decimal.Decimal, pathlib.Path):
            return kind(value)
    if kind is decimal.Decimal and isinstance(value, (int, float)):
        return decimal.Decimal(str(value))
    return float(value) if kind is float and type(value) is int else value


def _build_one_of(hints: tuple[Any, ...], value: Any) -> Any:
    """The first of several types that takes the value."""
    if value is None and type(None) in hints:
        return None
    error: Exception | None = None
    for hint in hints:
        if hint is type(None):
            continue
        kind = typing.get_origin(hint) or hint
        # A text may be a date; a number is no text.
        is_other = type(value) in _PLAIN and type(value) is not kind
        if kind in _PLAIN and is_other and (not isinstance(value, str) or kind in (int, float, bool)):
            continue
        try:
            return build(hint, value)
        except Exception as failed:
            error = error or failed
    if error is not None:
        raise error
    return value


def is_model(kind: Any) -> bool:
    """Whether a class is a model of Pydantic."""
    return callable(getattr(kind, "model_json_schema", None)) and callable(getattr(kind, "model_validate", None))


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

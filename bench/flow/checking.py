"""Texts whose checking is measured: long ones, many of them, and some that are nested too deeply."""

import pathlib
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LINES = 20_000
FILES = 500
LEVELS = 10_000

FUNCTION = """function f{number}() {{
{body}  return list;
}}
f{number}();

"""
BODY = """  if (list.length > 10) {
    list.push({ a: 1, b: `no ${list.length}` });
  } else {
    list.push(list.map((n) => n * 2));
  }
"""


def long() -> dict[str, str]:
    functions = "".join(FUNCTION.format(number=number, body=BODY * 9) for number in range(LINES // 50))
    return {"long": f"const list = [];\n{functions}return list;\n"}


def many() -> dict[str, str]:
    """The example of orders, with names of tasks that no other file has."""
    order = (ROOT / "examples/orders/order.flow").read_text()
    return {f"flow_{number}": order.replace('Task.run("', f'Task.run("file_{number}_') for number in range(FILES)}


def nested(opening: str, closing: str) -> Callable[[], dict[str, str]]:
    return lambda: {"nested": f"return {opening * LEVELS}1{closing * LEVELS};\n"}


# What is measured, the texts, and the codes of what is told of them.
ALL: list[tuple[str, Callable[[], dict[str, str]], list[str]]] = [
    (f"one file of {LINES:,} lines", long, []),
    (f"{FILES} files, each with names of tasks of its own", many, []),
    (f"{LEVELS:,} nested parentheses, refused", nested("(", ")"), ["E0003"]),
    (f"{LEVELS:,} nested arrow functions, refused", nested("(a) => (", ")"), ["E0003"]),
    (f"{LEVELS:,} nested templates, refused", nested("`${", "}`"), ["E0003"]),
]

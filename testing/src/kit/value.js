// Values of tests: whether two are the same, and how they look.

// Deep equality. `how.strict`: a property that is undefined differs from one that is not there. `how.part`: the
// left side may have more properties than the right one.
function $equal(left, right, how) {
  return $same(left, right, how, []);
}

function $same(left, right, how, open) {
  if (Object.is(left, right)) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null)
    return false;
  if (open.some(([a, b]) => a === left && b === right)) return true;
  const kind = $kind(left);
  if (kind !== $kind(right)) return false;
  const inner = [...open, [left, right]];
  const same = (a, b) => $same(a, b, how, inner);
  switch (kind) {
    case "array":
      return left.length === right.length && left.every((item, at) => same(item, right[at]));
    case "date":
      return Object.is(left.getTime(), right.getTime());
    case "error":
      return (
        left.name === right.name && left.message === right.message && same(left.cause, right.cause)
      );
    case "regex":
      return String(left) === String(right);
    case "map":
      return (
        left.size === right.size &&
        [...left].every(([key, value]) => right.has(key) && same(value, right.get(key)))
      );
    case "set":
      return (
        left.size === right.size &&
        [...left].every((item) => right.has(item) || [...right].some((one) => same(item, one)))
      );
    case "object": {
      const counts = (object, key) => how.strict || object[key] !== undefined;
      const wanted = Object.keys(right).filter((key) => counts(right, key));
      if (
        !how.part &&
        Object.keys(left).some((key) => counts(left, key) && !Object.hasOwn(right, key))
      )
        return false;
      return wanted.every((key) => Object.hasOwn(left, key) && same(left[key], right[key]));
    }
    default:
      return false;
  }
}

function $kind(value) {
  if (Array.isArray(value)) return "array";
  if (value instanceof Date) return "date";
  if (value instanceof Error) return "error";
  if (value instanceof Map) return "map";
  if (value instanceof Set) return "set";
  if (value instanceof Promise) return "promise";
  if (value instanceof RegExp) return "regex";
  return "object";
}

// A value on one line, cut where it gets long.
function $inline(value) {
  const text = $lines(value, "", [], false);
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}

// A value on many lines, keys in order, so that two of them can be compared line by line.
function $print(value) {
  return $lines(value, "", [], true);
}

function $lines(value, indent, open, long) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "function") return "[Function]";
  if (typeof value !== "object" || value === null) return String(value);
  if (open.includes(value)) return "[Circular]";
  const print = (inner) => $lines(inner, `${indent}  `, [...open, value], long);
  switch ($kind(value)) {
    case "date":
      return Number.isNaN(value.getTime()) ? "[Date: invalid]" : `[Date: ${value.toISOString()}]`;
    case "error":
      return `[${value.name}: ${value.message}]`;
    case "promise":
      return "[Promise]";
    case "regex":
      return String(value);
    case "array":
      return $brackets("[", value.map(print), "]", indent, long);
    case "map":
      return $brackets(
        "Map {",
        [...value].map(([key, item]) => `${print(key)} => ${print(item)}`),
        "}",
        indent,
        long,
      );
    case "set":
      return $brackets("Set {", [...value].map(print), "}", indent, long);
    default: {
      const keys = long ? Object.keys(value).sort() : Object.keys(value);
      return $brackets(
        "{",
        keys.map((key) => `${$key(key)}: ${print(value[key])}`),
        "}",
        indent,
        long,
      );
    }
  }
}

function $key(key) {
  const isName =
    key !== "" &&
    [...key].every(
      (c) =>
        (c >= "a" && c <= "z") ||
        (c >= "A" && c <= "Z") ||
        (c >= "0" && c <= "9") ||
        c === "_" ||
        c === "$",
    );
  return isName ? key : JSON.stringify(key);
}

function $brackets(left, parts, right, indent, long) {
  if (parts.length === 0) return `${left}${right}`;
  if (!long) return left === "[" ? `[${parts.join(", ")}]` : `${left} ${parts.join(", ")} ${right}`;
  const lines = parts.map((part) => `${indent}  ${part},`);
  return `${left}\n${lines.join("\n")}\n${indent}${right}`;
}

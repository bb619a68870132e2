// test.skip, test.only, test.todo and test.each, of groups too. `test$skip` is what a test file writes as `test.skip`.

const test$skip = $mode("test.skip", test, { skip: true });
const test$only = $mode("test.only", test, { only: true });
const test$todo = $mode("test.todo", test, { todo: true });
const test$each = $each("test.each", test);
const test$skip$each = $each("test.skip.each", test$skip);
const test$only$each = $each("test.only.each", test$only);

const it$skip = test$skip;
const it$only = test$only;
const it$todo = test$todo;
const it$each = test$each;
const it$skip$each = test$skip$each;
const it$only$each = test$only$each;

const describe$skip = $mode("describe.skip", describe, { skip: true });
const describe$only = $mode("describe.only", describe, { only: true });
const describe$todo = $mode("describe.todo", describe, { todo: true });
const describe$each = $each("describe.each", describe);
const describe$skip$each = $each("describe.skip.each", describe$skip);
const describe$only$each = $each("describe.only.each", describe$only);

function $mode(what, declare, settings) {
  return (name, options, body) => {
    const [own, run] = $settings(what, name, options, body, settings);
    declare(name, own, run);
  };
}

// A test for each case: an array gives the arguments of the function, anything else is its only one.
function $each(what, declare) {
  return (cases) => {
    if (!Array.isArray(cases))
      throw new TypeError(`${what} needs an array of cases, not ${$inline(cases)}.`);
    return (name, options, body) => {
      const [settings, run] = $settings(what, name, options, body, {});
      for (const [number, one] of cases.entries()) {
        const args = Array.isArray(one) ? one : [one];
        declare($title(name, args, number), settings, () => run(...args));
      }
    };
  };
}

// `%s` and its like stand for the arguments in turn, `%#` and `%$` for the number of the case from 0 and from 1, `$name` and
// `$order.id` for properties of a case that is an object.
function $title(name, args, number) {
  const rest = [...args];
  const filled = name.replace(/%([sdifjoO#$%])/g, (sign, kind) => {
    if (kind === "%") return "%";
    if (kind === "#") return String(number);
    if (kind === "$") return String(number + 1);
    if (rest.length === 0) return sign;
    const value = rest.shift();
    switch (kind) {
      case "s":
        return typeof value === "string" ? value : $inline(value);
      case "d":
      case "f":
        return String(Number(value));
      case "i":
        return String(Math.trunc(Number(value)));
      case "j":
        return JSON.stringify(value);
      default:
        return $inline(value);
    }
  });
  const [first] = args;
  if ($kind(first) !== "object" || typeof first !== "object" || first === null) return filled;
  return filled.replace(/\$([A-Za-z_][\w.]*\w|[A-Za-z_])/g, (sign, path) => {
    let value = first;
    for (const key of path.split(".")) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return sign;
      value = value[key];
    }
    return typeof value === "string" ? value : $inline(value);
  });
}

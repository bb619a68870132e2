// What `console` writes, so that Node and Flow can be compared: Flow writes what Node's `util.inspect` would, but on one line
// and without leaving anything out; and stacks name other places.

import { formatWithOptions } from "node:util";

const ALL = {
  compact: false,
  breakLength: Infinity,
  depth: Infinity,
  maxArrayLength: Infinity,
  maxStringLength: Infinity,
};

/** Line breaks that are not those of Node. */
const BREAK = "\uE000";
const kept = (text) => text.replaceAll("\n", BREAK);

// The text of a stack is made when it is looked at first. Node leaves nothing out of frames as few as these.
Error.prepareStackTrace = (error) => `${kept(Error.prototype.toString.call(error))}\n    at HERE\n    at HERE`;

/** The line that Flow writes, said by Node. */
export function logged(...values) {
  if (values.length === 1 && typeof values[0] === "string") return values[0];
  return formatWithOptions(ALL, ...values.map((value) => (typeof value === "string" ? kept(value) : value)))
    .replace(/\n +at HERE/g, "")
    .replace(/\n */g, " ")
    .replaceAll(BREAK, "\n");
}

/** Text of Flow without the frames of stacks. */
export const withoutFrames = (text) => text.replace(/\n {4}at [^\n]*?(\(builtin\)|:\d+:\d+\)?)/g, "");

// Runs one program as the body of a strict async function; prints its result, and the CPU time of the call alone in ns.
import { readFileSync } from "node:fs";

const AsyncFunction = (async () => {}).constructor;
const main = new AsyncFunction("Inputs", "Context", `"use strict";\n${readFileSync(process.argv[2], "utf8")}`);
const before = process.cpuUsage();
const result = await main(null, {});
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ ns: (user + system) * 1000, result }));

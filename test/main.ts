/**
 * `npm test`, after types and lint: every test, as two runs of Vitest side by side.
 *
 * The files of `browser` and of `stores` share one running edge or database, so each of these projects
 * runs a file at a time and mostly waits. In one run of Vitest they would come last, with a core idle.
 */
import { spawn } from "node:child_process";
import { buffer } from "node:stream/consumers";

const BESIDE = ["unit", "workerd", "e2e", "faults"];
const ONE_AT_A_TIME = ["browser", "stores"];

const shell = process.platform === "win32";
const argumentsFor = (projects: string[]) => [
  "run",
  ...projects.flatMap((name) => ["--project", name]),
];

const first = spawn("vitest", argumentsFor(BESIDE), { shell, stdio: "inherit" });
// Shown when it is complete, so that the lines of the two runs do not mix, and only its failures, so
// that those of the first run stay in sight.
const second = spawn("vitest", [...argumentsFor(ONE_AT_A_TIME), "--reporter=minimal"], {
  shell,
  stdio: ["ignore", "pipe", "pipe"],
});
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    for (const run of [first, second]) run.kill(signal);
  });

const ended = (run: typeof first | typeof second) =>
  new Promise<number>((resolve, reject) => {
    run.on("error", reject);
    run.on("exit", (code) => resolve(code ?? 1));
  });
const [code, codeOfSecond, out, errors] = await Promise.all([
  ended(first),
  ended(second),
  buffer(second.stdout),
  buffer(second.stderr),
]);
process.stdout.write(out);
process.stderr.write(errors);
process.exitCode = code || codeOfSecond;

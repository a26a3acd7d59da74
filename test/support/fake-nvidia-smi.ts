/**
 * A stand-in for nvidia-smi: a real process that behaves as its plan says.
 *
 * The plan is a JSON file beside the started script: one step per run, the last one for all
 * further runs. Each run appends a line to `runs` (pid and arguments), so that a test can
 * count processes without watching them.
 */
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Step = {
  /** Refuse a query that names one of these, as a driver does. */
  unknownFields?: string[];
  /** Printed at once, then every `everyMs` in loop mode, with the cells of the columns asked for. */
  rows?: Record<string, string>[];
  everyMs?: number;
  /** Rounds until the step goes on to `ending`. Default: for ever. */
  rounds?: number;
  /** Text on stdout before the end. */
  text?: string;
  ending?: "exit" | "hang";
  code?: number;
};

export type FakeSmi = {
  command: string;
  runs: () => { pid: number; args: string[] }[];
  plan: (steps: Step[]) => void;
};

/** A folder with a script that `GpuReader` can be pointed at. */
export function fakeSmi(steps: Step[]): FakeSmi {
  const folder = mkdtempSync(join(tmpdir(), "smi-"));
  const command = join(folder, "nvidia-smi.mjs");
  const plan = (next: Step[]) => writeFileSync(join(folder, "plan.json"), JSON.stringify(next));
  plan(steps);
  writeFileSync(join(folder, "runs"), "");
  writeFileSync(
    command,
    `import { play } from ${JSON.stringify(import.meta.url)};\nplay(${JSON.stringify(folder)});\n`,
  );
  const runs = () =>
    readFileSync(join(folder, "runs"), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  return { command, runs, plan };
}

/** The script's part: one run. */
export function play(folder: string): void {
  const args = process.argv.slice(2);
  const steps: Step[] = JSON.parse(readFileSync(join(folder, "plan.json"), "utf8"));
  const run = readFileSync(join(folder, "runs"), "utf8").split("\n").length - 1;
  appendFileSync(join(folder, "runs"), `${JSON.stringify({ pid: process.pid, args })}\n`);
  const step = steps[Math.min(run, steps.length - 1)] ?? {};
  const columns = /--query-gpu=(\S+)/.exec(args.join(" "))?.[1]?.split(",") ?? [];
  const refused = columns.find((column) => step.unknownFields?.includes(column));
  if (refused !== undefined) return end(`Field "${refused}" is not a valid field to query.\n\n`, 2);
  const finish = () =>
    step.ending === "hang"
      ? void setInterval(() => {}, 1_000)
      : end(step.text ?? "", step.code ?? 0);
  if (step.rows === undefined) return finish();
  const print = () => {
    const lines =
      step.rows?.map((row) => columns.map((column) => row[column] ?? "[N/A]").join(", ")) ?? [];
    process.stdout.write(`${lines.join("\n")}\n`);
  };
  print();
  if (!args.includes("-l")) return end("", 0);
  let rounds = 1;
  const timer = setInterval(() => {
    if (rounds++ >= (step.rounds ?? Number.POSITIVE_INFINITY)) {
      clearInterval(timer);
      finish();
    } else print();
  }, step.everyMs ?? 20);
}

function end(text: string, code: number): void {
  process.exitCode = code;
  process.stdout.write(text);
}

/**
 * A fake nvidia-smi: a real process that follows a plan.
 *
 * The plan is a JSON file beside the script. It has one step per run; the last step repeats for all
 * further runs. Each run appends a line to `runs` (pid and arguments), so that a test can count the
 * processes without watching them.
 */
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Step = {
  /** Columns that the driver does not know: a query with one of them fails. */
  unknownFields?: string[];
  /**
   * Rows printed at once, then every `everyMs` in loop mode, or as often as `-lms` demands. Only the cells of the queried columns
   * are printed.
   */
  rows?: Record<string, string>[];
  everyMs?: number;
  /** Rows printed for a query of the processes on the GPUs. Default: none. */
  processes?: string[];
  /** Rounds before the step continues with `ending`. Default: unlimited. */
  rounds?: number;
  /** Text printed before the end. */
  text?: string;
  ending?: "exit" | "hang";
  code?: number;
};

export type FakeSmi = {
  command: string;
  runs: () => { pid: number; args: string[] }[];
  plan: (steps: Step[]) => void;
  /** Ends the running processes, which follow the plan before, and has the next ones play this step. */
  turnTo: (step: Step) => void;
};

/** The answer of a driver whose GPU has fallen off the bus. */
export const OFF_THE_BUS: Step = {
  text: "Unable to determine the device handle for GPU0: 0000:01:00.0: GPU is lost.",
  ending: "exit",
  code: 15,
};

/** Creates a folder with a script that `NvidiaSmiSource` can run as its command. */
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
  const turnTo = (step: Step) => {
    plan([step]);
    for (const { pid } of runs())
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
  };
  return { command, runs, plan, turnTo };
}

/** Plays one run. The script calls it. */
export function play(folder: string): void {
  const args = process.argv.slice(2);
  const steps: Step[] = JSON.parse(readFileSync(join(folder, "plan.json"), "utf8"));
  const run = readFileSync(join(folder, "runs"), "utf8").split("\n").length - 1;
  appendFileSync(join(folder, "runs"), `${JSON.stringify({ pid: process.pid, args })}\n`);
  const step = steps[Math.min(run, steps.length - 1)] ?? {};
  if (args.some((arg) => arg.startsWith("--query-compute-apps=")))
    return end((step.processes ?? []).map((row) => `${row}\n`).join(""), 0);
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
  const loopMs = args.includes("-lms") ? Number(args.at(args.indexOf("-lms") + 1)) : null;
  if (!args.includes("-l") && loopMs === null) return end("", 0);
  let rounds = 1;
  const timer = setInterval(
    () => {
      if (rounds++ >= (step.rounds ?? Number.POSITIVE_INFINITY)) {
        clearInterval(timer);
        finish();
      } else print();
    },
    loopMs ?? step.everyMs ?? 20,
  );
}

function end(text: string, code: number): void {
  process.exitCode = code;
  process.stdout.write(text);
}

import { afterEach, expect, test } from "vitest";
import {
  PowerStream,
  type PowerStreamTiming,
  ROW_AGE_MS,
} from "../../../../../agent/readings/nvidia/power-stream.ts";
import { programsOf } from "../../../../../agent/readings/nvidia/smi-programs.ts";
import { type FakeSmi, fakeSmi, type Step } from "../../../../support/fake-nvidia-smi.ts";
import { isAlive } from "../../../../support/is-alive.ts";
import { waitFor } from "../../../../support/wait-for.ts";

const ROWS: Step = {
  rows: [
    { index: "0", "power.draw.instant": "61.50" },
    { index: "1", "power.draw.instant": "[GPU is lost]" },
  ],
};

type Reading = [gpu: number, watts: number | null, atMs: number];

let open: PowerStream[] = [];
afterEach(() => {
  for (const stream of open) stream.kill();
  open = [];
});

function streamOf(
  steps: Step[],
  timing: Partial<PowerStreamTiming> = {},
): { stream: PowerStream; smi: FakeSmi; readings: Reading[] } {
  const smi = fakeSmi(steps);
  const [program] = programsOf(smi.command);
  if (program === undefined) throw new Error("there is no program");
  const readings: Reading[] = [];
  const instant = { drawKind: "mean", instantField: "power.draw.instant" } as const;
  const stream = new PowerStream({
    program,
    fields: new Map([
      [0, instant],
      [1, instant],
    ]),
    onPower: (...reading) => readings.push(reading),
    timing: { retryMs: 20, ...timing },
  });
  open.push(stream);
  return { stream, smi, readings };
}

test("runs one narrow nvidia-smi only while it is needed", async () => {
  const { stream, smi, readings } = streamOf([ROWS], { lingerMs: 30 });
  expect(smi.runs()).toEqual([]);
  stream.need(true);
  stream.need(true);
  await waitFor(() => expect(readings.length).toBeGreaterThanOrEqual(6));
  expect(smi.runs().map(({ args }) => args)).toEqual([
    ["--query-gpu=index,power.draw.instant", "--format=csv,noheader,nounits", "-lms", "100"],
  ]);
  expect(readings.slice(0, 2)).toEqual([
    [0, 61.5, expect.any(Number)],
    [1, null, expect.any(Number)],
  ]);
  stream.need(false);
  await waitFor(() => expect(isAlive(smi.runs()[0]?.pid)).toBe(false));
  const before = readings.length;
  stream.need(true);
  await waitFor(() => expect(readings.length).toBeGreaterThan(before));
  expect(smi.runs()).toHaveLength(2);
});

test("keeps its process from one request to the next", async () => {
  const { stream, smi, readings } = streamOf([ROWS]);
  for (let n = 1; n <= 4; n++) {
    stream.need(true);
    await waitFor(() => expect(readings.length).toBeGreaterThanOrEqual(2 * n));
    stream.need(false);
  }
  expect(smi.runs()).toHaveLength(1);
});

test.each(["SIGKILL", "SIGSTOP"] as const)("replaces its process after a %s", async (signal) => {
  const { stream, smi, readings } = streamOf([ROWS], { silenceMs: 1_000 });
  stream.need(true);
  await waitFor(() => expect(readings.length).toBeGreaterThan(0));
  const [first] = smi.runs();
  process.kill(first?.pid ?? 0, signal);
  await waitFor(() => expect(smi.runs().length).toBeGreaterThan(1));
  const before = readings.length;
  await waitFor(() => expect(readings.length).toBeGreaterThan(before));
  expect(isAlive(first?.pid)).toBe(false);
});

test("replaces a process that printed rows at once: a second without power costs requests their energy", async () => {
  const { stream, smi, readings } = streamOf([ROWS], { steadyMs: 200, retryMs: 3_600_000 });
  stream.need(true);
  await waitFor(() => expect(readings.length).toBeGreaterThan(0));
  const firstMs = performance.now();
  await waitFor(() => expect(performance.now() - firstMs).toBeGreaterThan(200));
  process.kill(smi.runs()[0]?.pid ?? 0, "SIGKILL");
  await waitFor(() => expect(smi.runs()).toHaveLength(2));
});

test("waits before it replaces a process that ends after its first rows", async () => {
  const { stream, smi } = streamOf([{ ...ROWS, rounds: 1, ending: "exit", code: 1 }], {
    steadyMs: 3_600_000,
    retryMs: 400,
  });
  const startMs = performance.now();
  stream.need(true);
  await waitFor(() => expect(smi.runs()).toHaveLength(3));
  // 400 ms after the first, and 800 after the second.
  expect(performance.now() - startMs).toBeGreaterThan(1_200);
});

test("dates rows that waited for this process back to when they were written", async () => {
  const { stream, readings } = streamOf([ROWS]);
  stream.need(true);
  await waitFor(() => expect(readings.length).toBeGreaterThan(2));
  const beforeMs = performance.now();
  readings.length = 0;
  // Blocks this process for some rows.
  const BLOCKED_MS = 600;
  while (performance.now() < beforeMs + BLOCKED_MS);
  await waitFor(() => expect(readings.length).toBeGreaterThanOrEqual(8));
  const times = readings.filter(([gpu]) => gpu === 0).map(([, , atMs]) => atMs);
  expect(times.every((atMs, n) => n === 0 || atMs > (times[n - 1] ?? 0))).toBe(true);
  // The first of them was written while this process was blocked.
  expect(times[0]).toBeLessThan(beforeMs + BLOCKED_MS - ROW_AGE_MS);
});

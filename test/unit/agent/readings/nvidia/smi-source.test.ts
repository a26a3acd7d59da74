import { spawn } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  type NvidiaSmiOptions,
  NvidiaSmiSource,
} from "../../../../../agent/readings/nvidia/smi-source.ts";
import { GpuState } from "../../../../../protocol/inventory.ts";
import { fakeSmi, type Step } from "../../../../support/fake-nvidia-smi.ts";
import { isAlive } from "../../../../support/is-alive.ts";
import { temporaryFolder } from "../../../../support/temporary.ts";
import { waitFor } from "../../../../support/wait-for.ts";

const CARD = {
  index: "0",
  uuid: "GPU-1",
  name: "NVIDIA L40S",
  driver_version: "595.80",
  "utilization.gpu": "42",
  "memory.used": "1000",
  "power.draw": "61.50",
};
const ROWS: Step = { rows: [CARD, { ...CARD, index: "1", "utilization.gpu": "[Unknown Error]" }] };

test("samples from one running process, and returns each sample once", async () => {
  const smi = fakeSmi([ROWS]);
  await using gpu = reading(smi.command);
  const state = await until(gpu.source, (taken) => taken.samples.length >= 4);
  expect(state).toMatchObject({ available: true, error: null, driver_version: "595.80" });
  expect(state.samples[0]).toMatchObject({
    at: "2026-08-01T00:00:00.000Z",
    box: "box-1",
    index: 0,
    utilization_percent: 42,
    fan_percent: null,
  });
  expect(
    state.samples.some((sample) => sample.index === 1 && sample.utilization_percent === null),
  ).toBe(true);
  expect(gpu.source.latest().map((sample) => sample.index)).toEqual([0, 1]);
  expect(smi.runs().map(({ args }) => args.slice(1))).toEqual([
    ["--format=csv,noheader,nounits"],
    ["--format=csv,noheader,nounits", "-l", "1"],
  ]);
});

test("passes on the power of every row at once, and keeps samples of every nth round", async () => {
  const power: [number, number | null][] = [];
  const rows = [CARD, { ...CARD, index: "1", "power.draw": "[N/A]" }];
  await using gpu = reading(
    fakeSmi([{ rows }]).command,
    {},
    { keepEvery: 3, onPower: ({ gpuIndex, watts }) => power.push([gpuIndex, watts]) },
  );
  // Both GPUs of the rounds 0, 3 and 6.
  await until(gpu.source, ({ samples }) => samples.length >= 6);
  expect(power.slice(0, 4)).toEqual([
    [0, 61.5],
    [1, null],
    [0, 61.5],
    [1, null],
  ]);
  expect(power.length).toBeGreaterThanOrEqual(14);
});

test("lists the processes on the GPUs, once the driver works", async () => {
  const smi = fakeSmi([{ ...ROWS, processes: ["GPU-1, 42, 370, /usr/local/bin/ollama"] }]);
  await using gpu = reading(smi.command);
  expect(await gpu.source.processes()).toBeNull();
  await until(gpu.source, (taken) => taken.available);
  expect(await gpu.source.processes()).toEqual([
    { gpuUuid: "GPU-1", pid: 42, usedMb: 370, name: "/usr/local/bin/ollama" },
  ]);
});

test("drops columns that the driver refuses, one after the other, in one probe", async () => {
  const smi = fakeSmi([
    {
      ...ROWS,
      unknownFields: ["fan.speed", "clocks_event_reasons.active", "clocks_throttle_reasons.active"],
    },
  ]);
  await using gpu = reading(smi.command);
  const state = await until(gpu.source, (taken) => taken.samples.length > 0);
  expect(state.samples[0]).toMatchObject({ power_draw_w: 61.5, throttle_reasons: null });
  const loop = smi.runs().at(-1)?.args[0];
  expect(loop).not.toMatch(/fan\.speed|reasons/);
  expect(smi.runs().filter(({ args }) => args.includes("-l"))).toHaveLength(1);
});

test("tries the older name of the throttle reasons", async () => {
  const row = { ...CARD, "clocks_throttle_reasons.active": "0x0000000000000004" };
  await using gpu = reading(
    fakeSmi([{ rows: [row], unknownFields: ["clocks_event_reasons.active"] }]).command,
  );
  const state = await until(gpu.source, (taken) => taken.samples.length > 0);
  expect(state.samples[0]?.throttle_reasons).toEqual(["sw_power_cap"]);
});

test("reports a failure with its reason until nvidia-smi works", async () => {
  const smi = fakeSmi([
    {
      text: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
      code: 9,
    },
  ]);
  await using gpu = reading(smi.command);
  expect(gpu.source.take()).toEqual({
    available: false,
    error: null,
    driver_version: null,
    samples: [],
    history: [],
    failed: false,
    lost: [],
  });
  const failed = await until(gpu.source, (taken) => taken.error !== null);
  expect(failed).toMatchObject({
    available: false,
    error: expect.stringContaining("load the driver"),
    samples: [],
  });
  smi.plan([ROWS]);
  await until(gpu.source, (taken) => taken.available);
  expect(gpu.events.map((event) => event.event)).toEqual(["gpu_unavailable", "gpu_available"]);
});

test("reports a missing nvidia-smi", async () => {
  await using gpu = reading("/nowhere/nvidia-smi");
  expect((await until(gpu.source, (taken) => taken.error !== null)).error).toMatch(/not found/);
});

test("kills a probe that hangs", async () => {
  const smi = fakeSmi([{ ending: "hang" }, ROWS]);
  await using gpu = reading(smi.command, { probeMs: 3_000 });
  expect((await until(gpu.source, (taken) => taken.error !== null)).error).toBe(
    "nvidia-smi did not answer within 3 s",
  );
  await until(gpu.source, (taken) => taken.available);
  expect(isAlive(smi.runs()[0]?.pid)).toBe(false);
});

test("replaces a process that falls silent, and drops its old readings", async () => {
  const smi = fakeSmi([
    ROWS,
    { ...ROWS, rounds: 2, ending: "hang" },
    { text: "No devices were found", code: 6 },
  ]);
  // A process must not count as silent while a busy machine starts it.
  await using gpu = reading(smi.command, { silenceSlackMs: 7_000 });
  await until(gpu.source, (taken) => taken.available);
  await until(gpu.source, (taken) => taken.error?.includes("no reading for 10 s") === true);
  expect(gpu.source.latest()).toEqual([]);
  await until(gpu.source, (taken) => taken.error?.startsWith("no NVIDIA GPU") === true);
  // The columns are known by now, so there is no second probe.
  expect(
    smi
      .runs()
      .slice(1, 4)
      .every(({ args }) => args.includes("-l")),
  ).toBe(true);
});

test("keeps a slow nvidia-smi, whose rows come and go out of date", async () => {
  const smi = fakeSmi([{ ...ROWS, everyMs: 3_500 }]);
  await using gpu = reading(smi.command);
  for (let n = 0; n < 2; n++) {
    await until(gpu.source, (taken) => taken.available);
    const stale = await until(gpu.source, (taken) => !taken.available);
    expect(stale).toMatchObject({ error: "no GPU reading for 3 s", failed: false, lost: [] });
  }
  await until(gpu.source, (taken) => taken.available);
  // One probe and one loop: it was not replaced.
  expect(smi.runs()).toHaveLength(2);
});

test("skips garbage between rows", async () => {
  const garbage = { ...CARD, index: "\u0000\ufffd{]" };
  await using gpu = reading(
    fakeSmi([{ rows: [garbage, CARD, { ...CARD, index: "1", name: "a, b, c" }] }]).command,
  );
  const state = await until(gpu.source, (taken) => taken.samples.length >= 2);
  expect(new Set(state.samples.map((sample) => sample.index))).toEqual(new Set([0]));
});

test("never runs two processes at once, and none after the stop", async () => {
  const smi = fakeSmi([ROWS, { ...ROWS, rounds: 2 }]);
  const gpu = reading(smi.command);
  let aliveMax = 0;
  await waitFor(() => {
    aliveMax = Math.max(aliveMax, smi.runs().filter(({ pid }) => isAlive(pid)).length);
    expect(smi.runs().length).toBeGreaterThan(4);
  });
  expect(aliveMax).toBe(1);
  await gpu.source.stop();
  expect(smi.runs().filter(({ pid }) => isAlive(pid))).toEqual([]);
});

test("keeps the newest 1,000 samples until they are taken", async () => {
  const rows = Array.from({ length: 600 }, (_, index) => ({ ...CARD, index: String(index) }));
  const smi = fakeSmi([{ rows, everyMs: 10 }]);
  await using gpu = reading(smi.command);
  await waitFor(() => expect(gpu.count()).toBeGreaterThan(1_800));
  const state = gpu.source.take();
  expect(GpuState.safeParse(state).success).toBe(true);
  expect(state.samples).toHaveLength(1_000);
});

test("rejects an interval that nvidia-smi does not support", () => {
  expect(
    () => new NvidiaSmiSource({ box: "b", intervalSeconds: 0.5, now: Date.now, log: () => {} }),
  ).toThrow(RangeError);
});

test("leaves no orphan when the agent is killed, because the next row ends the child", async () => {
  const folder = temporaryFolder("smi-orphan-");
  const command = join(folder, "nvidia-smi");
  // A shell, not Node: it dies of SIGPIPE as nvidia-smi does.
  const row = "echo '0, GPU-1, NVIDIA L40S, 595.80, 1, 1, 1, 1, 1, 1, 1, 1, 0x0'";
  const probed = row.replace("0x0", "0x0, 1, 1, 8.9");
  writeFileSync(
    command,
    `#!/bin/sh\necho $$ > ${folder}/pid\ncase "$*" in *-l*) ${row}; while sleep 0.05; do ${row}; done;; *) ${probed};; esac\n`,
  );
  chmodSync(command, 0o755);
  const script = join(folder, "agent.ts");
  const gpuModule = new URL("../../../../../agent/readings/nvidia/smi-source.ts", import.meta.url)
    .href;
  writeFileSync(
    script,
    `import { NvidiaSmiSource } from ${JSON.stringify(gpuModule)};
     const source = new NvidiaSmiSource({ command: ${JSON.stringify(command)}, box: "b", intervalSeconds: 1, now: Date.now, log: () => {} });
     source.start();
     setInterval(() => { if (source.take().available) process.stdout.write("up\\n"); }, 20);`,
  );
  const agent = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => agent.stdout.once("data", resolve));
  const pid = Number(readFileSync(join(folder, "pid"), "utf8"));
  expect(isAlive(pid)).toBe(true);
  agent.kill("SIGKILL");
  await waitFor(() => expect(isAlive(pid)).toBe(false));
});

function reading(
  command: string,
  timing: NvidiaSmiOptions["timing"] = {},
  more: Partial<NvidiaSmiOptions> = {},
) {
  const events: { level: string; event: string }[] = [];
  let clock = Date.parse("2026-08-01T00:00:00.000Z");
  let read = 0;
  const now = () => {
    read += 1;
    return clock++;
  };
  const source = new NvidiaSmiSource({
    command,
    box: "box-1",
    intervalSeconds: 1,
    now,
    ...more,
    log: (level, event) => events.push({ level, event }),
    timing: { backoffMs: 20, backoffMaxMs: 40, backoffPermanentMaxMs: 40, ...timing },
  });
  source.start();
  return { source, events, count: () => read, [Symbol.asyncDispose]: () => source.stop() };
}

/** Waits for a state that matches. Returns it with all samples taken meanwhile. */
async function until(
  source: NvidiaSmiSource,
  matches: (state: GpuState) => boolean,
): Promise<GpuState> {
  const samples: GpuState["samples"] = [];
  return waitFor(() => {
    const taken = source.take();
    samples.push(...taken.samples);
    const state = { ...taken, samples };
    expect(matches(state)).toBe(true);
    return state;
  });
}

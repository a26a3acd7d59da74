import { expect, test } from "vitest";
import { System } from "../../../../protocol/api/system.ts";
import type { SystemSample } from "../../../../protocol/records.ts";
import { systemState } from "../../../../worker/answers/system.ts";
import type { RegisteredBox } from "../../../../worker/registered-box.ts";
import { helloOf, readingsOf, systemOf } from "../../../support/records.ts";

const NOW = 1_800_000_000_000;
const GIB = 2 ** 30;

const boxOf = (name: string, sample: SystemSample | null): RegisteredBox => ({
  name,
  hello: helloOf(name),
  state: "up",
  connected_at_ms: NOW,
  last_seen_ms: NOW,
  readings: readingsOf(NOW, [], [], [], sample === null ? [] : [sample]),
  readings_at_ms: NOW,
  gpus_at_ms: null,
  gpu_energy: [],
});
const stateOf = (boxes: RegisteredBox[], up = boxes.map(({ name }) => name)) =>
  System.parse(systemState(boxes, new Set(up), NOW));

test("shows one machine", () => {
  const { boxes, ...all } = stateOf([
    boxOf("atlas", systemOf(NOW - 4_000, { cpu_percent: 12.3456 })),
  ]);
  expect(all).toEqual({
    available: true,
    cpu_percent: 12.35,
    cpu_count: null,
    cpu_count_logical: 16,
    memory_total_gb: 64,
    memory_used_gb: 16,
    memory_available_gb: 48,
    memory_percent: 25,
    disk_total_gb: 1_000,
    disk_used_gb: 400,
    disk_percent: 40,
    timestamp: new Date(NOW).toISOString(),
    error: null,
  });
  expect(boxes).toEqual([{ ...all, box: "atlas", timestamp: new Date(NOW - 4_000).toISOString() }]);
});

test("combines two machines by sums and a CPU weighted by size", () => {
  const small = systemOf(NOW, {
    cpu_percent: 90,
    cpu_count_logical: 4,
    memory_total_bytes: 16 * GIB,
    memory_used_bytes: 14 * GIB,
  });
  expect(
    stateOf([
      boxOf("atlas", systemOf(NOW, { cpu_percent: 10, cpu_count_logical: 12 })),
      boxOf("basil", small),
    ]),
  ).toMatchObject({
    cpu_percent: 30,
    cpu_count_logical: 16,
    memory_total_gb: 80,
    memory_used_gb: 30,
    memory_percent: 37.5,
    disk_total_gb: 2_000,
    boxes: [{ box: "atlas" }, { box: "basil", memory_percent: 87.5 }],
  });
});

test("a machine without a CPU figure yet has no weight", () => {
  const first = systemOf(NOW, { cpu_percent: null, cpu_count_logical: 100 });
  expect(stateOf([boxOf("atlas", systemOf(NOW)), boxOf("basil", first)])).toMatchObject({
    cpu_percent: 25,
    cpu_count_logical: 116,
  });
});

const NONE = {
  available: false,
  cpu_percent: null,
  memory_total_gb: null,
  memory_percent: null,
  disk_used_gb: null,
};

test.each<[name: string, boxes: RegisteredBox[], up: string[], error: RegExp]>([
  ["no box", [], [], /^no box is known$/],
  ["a box that is down", [boxOf("atlas", systemOf(NOW))], [], /^atlas: the box is not connected$/],
  [
    "a box without readings",
    [{ ...boxOf("atlas", null), readings: null }],
    ["atlas"],
    /^atlas: .*no readings yet$/,
  ],
  ["an older agent", [boxOf("atlas", null)], ["atlas"], /^atlas: its agent is too old to sample/],
  [
    "an old sample",
    [boxOf("atlas", systemOf(NOW - 181_000))],
    ["atlas"],
    /^atlas: the last sample is more than 3 minutes old$/,
  ],
  [
    "two reasons",
    [boxOf("atlas", null), boxOf("basil", null)],
    ["atlas"],
    /^atlas: its agent .*; basil: the box is not connected$/,
  ],
])("%s leaves the answer empty, with the reason", (_name, boxes, up, error) => {
  const state = stateOf(boxes, up);
  expect(state).toMatchObject({ ...NONE, error: expect.stringMatching(error) });
  for (const box of state.boxes)
    expect(box).toMatchObject({ ...NONE, timestamp: null, error: expect.any(String) });
});

test("shows the other boxes while one is down", () => {
  const state = stateOf([boxOf("atlas", systemOf(NOW)), boxOf("basil", systemOf(NOW))], ["basil"]);
  expect(state).toMatchObject({ available: true, memory_total_gb: 64, error: null });
  expect(state.boxes.map(({ available }) => available)).toEqual([false, true]);
});

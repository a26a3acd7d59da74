import { expect, test } from "vitest";
import type { LiveBox } from "../../../../protocol/api/live.ts";
import { VERSION } from "../../../../worker/version.ts";
import { boxOf, gpuOf } from "../../dashboard/live.ts";
import { HOUR_MS, NOW, summariesWith } from "./concerns-scene.ts";

const modelOf = (share: number | null): LiveBox["loaded"][number] => ({
  name: "big",
  size_bytes: 8e9,
  size_vram_bytes: share === null ? null : 8e9 * share,
  context_length: null,
  expires_at: null,
  gpu_share: share,
});
const pinOf = (state: "failed" | "waiting" | "loaded", reason: string | null) => ({
  model: `${state}:1b`,
  context_length: null,
  hours: null,
  time_zone: "UTC",
  is_due: true,
  state,
  reason,
  least_bytes: null,
  created_at: "2026-11-24T12:00:00.000Z",
});
const systemOf = (usedPercent: number | null): LiveBox["system"] => ({
  at: "2026-11-24T12:00:00.000Z",
  cpu_percent: 10,
  cpu_count_logical: 8,
  load_1m: 1,
  memory_total_bytes: 64e9,
  memory_used_bytes: 8e9,
  disk_path: "/",
  disk_total_bytes: 1e12,
  disk_used_bytes: usedPercent === null ? null : 1e10 * usedPercent,
  in_flight: 0,
  queued: 0,
});

const BOXES: [name: string, box: Partial<LiveBox>, expected: string[]][] = [
  ["is healthy", {}, []],
  [
    "is down, which hides its other concerns",
    { state: "down", last_seen: "2026-11-24T11:58:00.000Z", lost: 3, clock_skew_ms: HOUR_MS },
    ["critical box_down: Box atlas has been down since 2026-11-24T11:58:00.000Z"],
  ],
  [
    "cannot load a pinned model",
    { pins: [pinOf("failed", "out of memory"), pinOf("waiting", "busy"), pinOf("loaded", null)] },
    ["warning pin_failed: failed:1b on atlas is pinned, and could not be loaded: out of memory"],
  ],
  [
    "has been down for an unknown time",
    { state: "down", last_seen: null },
    ["critical box_down: Box atlas is down"],
  ],
  [
    "is draining",
    { state: "draining", in_flight: 3 },
    ["warning box_draining: Box atlas accepts no new requests and is finishing 3"],
  ],
  [
    "has lost its Ollama",
    { ollama_reachable: false, ollama_error: "ECONNREFUSED" },
    ["critical ollama_unreachable: Box atlas cannot reach its Ollama: ECONNREFUSED"],
  ],
  ["has not polled its Ollama yet", { ollama_reachable: null }, []],
  [
    "has lost one of two GPUs",
    { gpu_failed: true, lost_gpus: [{ index: 1, uuid: "GPU-1", name: "L40S" }] },
    ["critical gpu_lost: Box atlas cannot read GPU 1: the GPU is lost"],
  ],
  [
    "has a driver that failed before any GPU was read",
    { gpus: [], gpu_failed: true, gpu_error: "driver/library version mismatch" },
    ["critical gpu_lost: Box atlas cannot read its GPUs: driver/library version mismatch"],
  ],
  ["has no GPU", { gpus: [], gpu_error: "nvidia-smi was not found" }, []],
  ["has a GPU at 85 °C", { gpus: [gpuOf({ temperature_c: 85 })] }, []],
  [
    "has a GPU at 86 °C",
    { gpus: [gpuOf({ temperature_c: 86 })] },
    ["warning gpu_hot: GPU 0 of atlas is at 86 °C"],
  ],
  [
    "has a GPU at 90 °C",
    { gpus: [gpuOf({ temperature_c: 90 })] },
    ["warning gpu_hot: GPU 0 of atlas is at 90 °C"],
  ],
  [
    "has a second GPU at 91 °C",
    { gpus: [gpuOf({}), gpuOf({ index: 1, temperature_c: 91 })] },
    ["critical gpu_hot: GPU 1 of atlas is at 91 °C"],
  ],
  ["has a GPU of unknown temperature", { gpus: [gpuOf({ temperature_c: null })] }, []],
  [
    "has a GPU that is throttled by heat",
    { gpus: [gpuOf({ throttle_reasons: ["sw_power_cap", "sw_thermal_slowdown"] })] },
    ["warning gpu_throttled: GPU 0 of atlas is throttled: sw thermal slowdown"],
  ],
  [
    "has a GPU at its power cap, which is normal",
    { gpus: [gpuOf({ throttle_reasons: ["sw_power_cap", "gpu_idle"] })] },
    [],
  ],
  ["has a GPU with unknown throttle reasons", { gpus: [gpuOf({ throttle_reasons: null })] }, []],
  [
    "runs a model partly on the CPU",
    { loaded: [modelOf(0.75)] },
    [
      "warning model_on_cpu: big on atlas runs 25 % on the CPU: the GPU is 2 GB short. Shorten its context, or use a smaller quantization",
    ],
  ],
  ["runs a model on the GPU", { loaded: [modelOf(1), modelOf(null)] }, []],
  ["has a disk that is 90 % full", { system: systemOf(90) }, []],
  [
    "has a disk that is 92 % full",
    { system: systemOf(92) },
    ["warning disk_filling: Box atlas has a disk that is 92 % full"],
  ],
  [
    "has a disk that is 98 % full",
    { system: systemOf(98) },
    ["critical disk_filling: Box atlas has a disk that is 98 % full"],
  ],
  ["has a disk of unknown use", { system: systemOf(null) }, []],
  ["has 500 unsent records", { spooled: 500 }, []],
  [
    "has 501 unsent records",
    { spooled: 501 },
    ["warning records_unsent: Box atlas has 501 unsent records"],
  ],
  ["has a clock that is 29 s ahead", { clock_skew_ms: 29_000 }, []],
  ["has a clock that is exactly 30 s ahead", { clock_skew_ms: 30_000 }, []],
  ["has a clock that is exactly 30 s behind", { clock_skew_ms: -30_000 }, []],
  [
    "has a clock that is more than 30 s ahead",
    { clock_skew_ms: 30_001 },
    ["warning clock_skew: Box atlas has a clock that is 30 s ahead: turn on time synchronization"],
  ],
  [
    "has a clock that is more than 30 s behind",
    { clock_skew_ms: -30_001 },
    ["warning clock_skew: Box atlas has a clock that is 30 s behind: turn on time synchronization"],
  ],
  [
    "has a clock that is 90 days behind",
    { clock_skew_ms: -90 * 24 * HOUR_MS },
    [
      "warning clock_skew: Box atlas has a clock that is 90 days behind: turn on time synchronization",
    ],
  ],
  [
    "has lost records",
    { lost: 1_234 },
    [
      "critical records_lost: Box atlas has lost the records of 1234 requests: check the disk and permissions of its state folder",
    ],
  ],
  ["has an agent that does not report losses", { lost: null }, []],
  [
    "runs an older agent than the edge",
    { agent_version: "0.0.9" },
    [
      `warning agent_outdated: Box atlas runs agent 0.0.9, older than ${VERSION} of the edge: update it on the page Boxes`,
    ],
  ],
  [
    "runs a candidate of the edge's release",
    { agent_version: `${VERSION}-rc.1` },
    [
      `warning agent_outdated: Box atlas runs agent ${VERSION}-rc.1, older than ${VERSION} of the edge: update it on the page Boxes`,
    ],
  ],
  [
    "runs another build of the edge's version",
    { agent_version: VERSION, agent_build: "other" },
    [
      `warning agent_outdated: Box atlas runs another build of agent ${VERSION} than the edge serves: update it on the page Boxes`,
    ],
  ],
  ["runs the build that the edge serves", { agent_version: VERSION, agent_build: "same" }, []],
  ["runs a newer agent than the edge", { agent_version: "99.0.0", agent_build: "other" }, []],
  [
    "is down, and ran an older agent",
    { state: "down", last_seen: null, agent_version: "0.0.9" },
    ["critical box_down: Box atlas is down"],
  ],
];

test.each(BOXES)("a box that %s", (_name, box, expected) => {
  expect(summariesWith({ boxes: [boxOf(box)] })).toEqual(expected);
});

/** A disk of 1 TB, with a model of 300 GB. */
const DISKS: [name: string, usedPercent: number | null, size: number | null, expected: string[]][] =
  [
    ["has room for its largest model", 70, 300e9, []],
    [
      "has no room for its largest model",
      71,
      300e9,
      [
        "warning disk_short: Box atlas has 290 GB of disk left, too little for another model like big:70b (300 GB) or its update: delete models",
      ],
    ],
    ["is almost full, which is a concern of its own", 92, 300e9, ["disk_filling"]],
    ["has no model of known size", 99.9, null, ["disk_filling"]],
    ["is of unknown use", null, 300e9, []],
  ];

test.each(DISKS)("a disk that %s", (_name, usedPercent, size, expected) => {
  const found = summariesWith({
    boxes: [boxOf({ system: systemOf(usedPercent) })],
    largest: size === null ? [] : [{ box: "atlas", name: "big:70b", size_bytes: size }],
  });
  const codes = found.map((line) => (line.includes("disk_filling") ? "disk_filling" : line));
  expect(codes).toEqual(expected);
});

test("a GPU that is busy for nobody is a concern after two minutes", () => {
  const bypassed = (seconds: number, utilization_percent = 87, model: string | null = null) =>
    summariesWith({
      bypassed: [
        {
          box: "atlas",
          gpu: 0,
          since_ms: NOW - 120_000,
          last_ms: NOW,
          quiet_ms: 1_000 * seconds,
          utilization_percent,
          samples: 12,
          model,
        },
      ],
    });
  expect(bypassed(119)).toEqual([]);
  expect(bypassed(120)).toEqual([
    "warning gpu_bypassed: GPU 0 of atlas has been 87 % busy since 2026-11-24T11:58:00.000Z with nothing in flight: another program uses it, or Ollama is called directly",
  ]);
  expect(bypassed(120, 87, "llama3.2:latest")).toEqual([
    "warning gpu_bypassed: GPU 0 of atlas has been 87 % busy since 2026-11-24T11:58:00.000Z with nothing in flight: llama3.2:latest is called past the edge and the agent",
  ]);
  expect(bypassed(120, 30)).toEqual([]);
});

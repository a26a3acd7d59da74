/** A fault for each concern, as the edge sees its cause and its end. */
import { expect } from "vitest";
import { type ConcernCode, LOSS_SHOWN_MS } from "../../protocol/concerns.ts";
import type { Readings } from "../../protocol/inventory.ts";
import type { Hello } from "../../protocol/messages.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import type { ThresholdRule } from "../../protocol/thresholds.ts";
import { COLD_HOURS } from "../../worker/answers/damage/cold-starts.ts";
import { RELOADING_MINUTES } from "../../worker/answers/damage/reloads.ts";
import { SLOW_MINUTES } from "../../worker/answers/damage/slow.ts";
import { TRUNCATED_MINUTES } from "../../worker/answers/damage/truncated.ts";
import type { Bindings } from "../../worker/env.ts";
import { gpuOf, helloOf, recordOf, systemOf } from "../support/records.ts";
import type { AlertScene } from "./alert-scene.ts";
import { STORE_FAULTS } from "./planted-store-faults.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;

type Step = (scene: AlertScene) => void | Promise<void>;

export type Fault = {
  cause: Step;
  heal: Step;
  /** Prepares the scene before the first reading. */
  begin?: Step;
  settings?: Partial<Bindings>;
  /** Concerns that the same cause raises. Their own rows count their messages. */
  beside?: ConcernCode[];
};

const reading = (change: (readings: Readings) => Partial<Readings>): Fault => ({
  cause: (on) => {
    on.read = (readings) => ({ ...readings, ...change(readings) });
  },
  heal: (on) => {
    on.read = (readings) => readings;
  },
});

const gpu = (sample: Parameters<typeof gpuOf>[2]): Fault =>
  reading((readings) => ({
    gpu: {
      ...readings.gpu,
      samples: [gpuOf("atlas", Date.now(), { utilization_percent: 3, ...sample })],
    },
  }));

const disk = (usedBytes: number) => [
  systemOf(Date.now(), { disk_total_bytes: 1_000, disk_used_bytes: usedBytes }),
];

const connect = ({ aggregator }: AlertScene, rest: Partial<Hello> = {}) =>
  aggregator.connected({ ...helloOf("atlas", rest), now_ms: Date.now() });

/** Requests that end now, until the fault is over. */
const calling = (rest: Partial<RequestRecord>, ...rules: ThresholdRule[]): Fault => ({
  cause: async (on) => {
    if (rules.length > 0) await on.aggregator.putThresholds(rules);
    on.calls = () => [recordOf(Date.now() - (rest.latency_ms ?? 0) - SECOND_MS, rest)];
  },
  heal: (on) => {
    on.calls = () => [];
  },
});

const rule = (code: ThresholdRule["code"], warning: ThresholdRule["warning"]): ThresholdRule => ({
  code,
  warning,
  critical: null,
  box: null,
  model: null,
});

/** Requests of the past, which no longer count after this time. */
const called = (records: () => RequestRecord[], countedMs: number): Fault => ({
  cause: async (on) => {
    await on.aggregator.ingest(records(), true);
  },
  heal: (on) => on.skip(countedMs),
});

const every = (count: number, ms: number, of: (n: number, startedMs: number) => RequestRecord) =>
  Array.from({ length: count }, (_, n) => of(n, Date.now() - (count - n) * ms));

/** A request of 400 tokens that took this long to produce them. */
const decoded = (startedMs: number, decode_ms: number) =>
  recordOf(startedMs, { completion_tokens: 400, decode_ms, latency_ms: decode_ms + 100 });

const PIN = { box: "atlas", model: "llama3.2:latest" };

export const FAULTS: Record<ConcernCode, Fault> = {
  ...STORE_FAULTS,
  no_box: {
    cause: (on) => {
      on.read = null;
      return on.aggregator.forgetBox("atlas");
    },
    heal: (on) => {
      connect(on);
      on.read = (readings) => readings;
    },
  },
  error_rate_high: calling({ status: "error", latency_ms: 10 }),
  latency_high: calling({ latency_ms: 5_000 }),
  queue_long: reading(() => ({ queued: 9 })),
  recording_off: {
    cause: async ({ aggregator }) => {
      await aggregator.patchSettings({ enable_instrumentation: false });
    },
    heal: async ({ aggregator }) => {
      await aggregator.patchSettings({ enable_instrumentation: true });
    },
  },
  box_down: {
    cause: (on) => {
      on.read = null;
      on.aggregator.gone("atlas", Date.now());
    },
    heal: (on) => {
      connect(on);
      on.read = (readings) => readings;
    },
  },
  box_draining: {
    cause: ({ aggregator }) => aggregator.draining("atlas"),
    heal: (on) => void connect(on),
  },
  ollama_unreachable: reading(({ inventory }) => ({
    inventory: { ...inventory, reachable: false, error: "connection refused" },
  })),
  clock_skew: reading(() => ({ now_ms: Date.now() - 3_600_000 })),
  agent_outdated: {
    cause: (on) => void connect(on, { agent_version: "0.0.9" }),
    heal: (on) => void connect(on),
  },
  records_lost: reading(() => ({ lost: 3 })),
  records_unsent: reading(() => ({ spooled: 5_000 })),
  records_untrusted: {
    cause: ({ aggregator }) => aggregator.report("atlas", [], 2),
    heal: (on) => on.skip(LOSS_SHOWN_MS),
  },
  disk_filling: reading(() => ({ system: disk(950) })),
  disk_short: reading(({ inventory }) => ({
    inventory: {
      ...inventory,
      models: inventory.models.map((model) => ({ ...model, size_bytes: 200 })),
    },
    system: disk(850),
  })),
  models_reloading: called(
    () =>
      every(8, 20 * SECOND_MS, (n, startedMs) =>
        recordOf(startedMs, {
          model: n % 2 === 0 ? "llama3.2" : "qwen3",
          load_ms: 1_500,
          latency_ms: 2_500,
        }),
      ),
    RELOADING_MINUTES * MINUTE_MS,
  ),
  gpu_lost: reading((readings) => ({
    gpu: {
      ...readings.gpu,
      failed: true,
      error: "Unable to determine the device handle: GPU is lost",
    },
  })),
  gpu_hot: gpu({ temperature_c: 92 }),
  gpu_throttled: gpu({ throttle_reasons: ["hw_slowdown"] }),
  gpu_bypassed: gpu({ utilization_percent: 80 }),
  model_on_cpu: reading(({ inventory }) => ({
    inventory: {
      ...inventory,
      loaded: inventory.loaded.map((model) => ({
        ...model,
        size_bytes: 8e9,
        size_vram_bytes: 6e9,
      })),
    },
  })),
  prompts_truncated: called(
    () =>
      every(3, MINUTE_MS, (_, startedMs) =>
        recordOf(startedMs, { prompt_truncated: true, context_length: 4_096 }),
      ),
    TRUNCATED_MINUTES * MINUTE_MS,
  ),
  cold_starts: called(
    () =>
      every(7, 10 * MINUTE_MS, (_, startedMs) =>
        recordOf(startedMs, { load_ms: 15_000, latency_ms: 16_000 }),
      ),
    COLD_HOURS * 60 * MINUTE_MS,
  ),
  model_slow: called(
    () => [
      ...every(40, MINUTE_MS, (_, startedMs) => decoded(startedMs - 20 * MINUTE_MS, 1_000)),
      ...every(7, 10 * SECOND_MS, (_, startedMs) => decoded(startedMs, 2_500)),
    ],
    SLOW_MINUTES * MINUTE_MS,
  ),
  model_latency_high: calling({ latency_ms: 2_000 }, rule("model_latency_high", 1_000)),
  // For the whole edge, that many errors are allowed here.
  model_errors_high: calling(
    { status: "error", latency_ms: 10 },
    rule("model_errors_high", 0.1),
    rule("error_rate_high", null),
  ),
  pin_failed: {
    cause: async (on) => {
      connect(on, { keeps_pins: true });
      const pin = { ...PIN, context: null, hours: null };
      const made = await on.aggregator.changePins({ act: "put", ...pin });
      expect(made.refusal).toBeNull();
      on.read = (readings) => ({
        ...readings,
        pins: [{ model: PIN.model, state: "failed", reason: "out of memory" }],
      });
    },
    heal: (on) => {
      on.read = (readings) => ({
        ...readings,
        pins: [{ model: PIN.model, state: "loaded", reason: null }],
      });
    },
  },
};

/** The status of an agent, from readings like those that it sends to the edge. */
import { expect, test } from "vitest";
import { concernLine } from "../../../../agent/status/concern-lines.ts";
import { localStatusOf, type ObservedAgent } from "../../../../agent/status/local-status-of.ts";
import { Link } from "../../../../agent/tunnel/link.ts";
import { boxConcerns } from "../../../../protocol/box-concerns.ts";
import type { Concern } from "../../../../protocol/concern.ts";
import type { Inventory } from "../../../../protocol/inventory.ts";

const NOW_MS = Date.UTC(2026, 10, 27, 12);
const config = {
  box: "atlas",
  edgeUrl: new URL("https://edge.example/path"),
  ollamaUrl: new URL("http://127.0.0.1:11434"),
  simulated: false,
};
const inventory: Inventory = {
  at: new Date(NOW_MS).toISOString(),
  reachable: false,
  error: "refused",
  ollama_version: null,
  models: [],
  loaded: [],
};

function observedAgent(hasPolled: boolean): ObservedAgent {
  const gpu = { available: false, error: "none", driver_version: null, failed: true, lost: [] };
  return {
    gpu: {
      state: () => gpu,
      latest: () => [],
      take: () => ({ ...gpu, samples: [], history: [] }),
    },
    inventory: { latest: () => inventory, hasPolled },
    system: { latest: () => null, take: () => [] },
    counts: () => ({
      in_flight: 0,
      queued: 0,
      serving: [],
      gpu_energy: null,
      local_in_flight: 0,
      tunnel_ms: 12,
      spooled: 501,
      lost: 0,
      pins: null,
      update: null,
    }),
    requests: () => [],
  };
}

const codesOf = (isDraining: boolean, hasPolled: boolean) => {
  const link = new Link(() => NOW_MS);
  return localStatusOf(
    config,
    observedAgent(hasPolled),
    link.state,
    isDraining,
    NOW_MS,
  ).concerns.map(({ code }) => code);
};

test("lists the concerns of the box, critical ones first", () => {
  expect(codesOf(true, true)).toEqual([
    "ollama_unreachable",
    "gpu_lost",
    "box_draining",
    "records_unsent",
  ]);
});

test("does not call Ollama unreachable before it was polled", () => {
  expect(codesOf(false, false)).toEqual(["gpu_lost", "records_unsent"]);
});

test("reports since when the tunnel is up or down, and why", () => {
  let nowMs = NOW_MS;
  const link = new Link(() => nowMs);
  const edge = () => localStatusOf(config, observedAgent(true), link.state, false, nowMs).edge;
  expect(edge()).toMatchObject({ is_up: false, since_ms: NOW_MS, version: null, reason: null });
  nowMs += 1_000;
  link.down("refused");
  expect(edge()).toMatchObject({ since_ms: NOW_MS, reason: "refused", tunnel_ms: null });
  link.up({ edge_version: "0.2.0", now_ms: nowMs - 40_000 });
  expect(edge()).toEqual({
    url: "https://edge.example",
    is_up: true,
    since_ms: nowMs,
    version: "0.2.0",
    tunnel_ms: 12,
    reason: null,
    clock_skew_ms: 40_000,
  });
  nowMs += 1_000;
  link.down(null);
  link.down("timed out");
  link.down(null);
  nowMs += 1_000;
  expect(edge()).toMatchObject({
    is_up: false,
    since_ms: nowMs - 1_000,
    version: "0.2.0",
    reason: "timed out",
  });
});

test("states a next step for each concern of a box", () => {
  const bad = boxConcerns({
    name: "atlas",
    state: "draining",
    last_seen: null,
    in_flight: 1,
    lost: 1,
    spooled: 1_000,
    clock_skew_ms: 60_000,
    ollama_reachable: false,
    ollama_error: null,
    gpu_failed: true,
    gpu_error: null,
    lost_gpus: [],
    gpus: [{ index: 0, temperature_c: 95, throttle_reasons: ["hw_slowdown"] }],
    loaded: [{ name: "m", gpu_share: 0.5, size_bytes: 2e9, size_vram_bytes: 1e9 }],
    pins: [{ model: "m", state: "failed", reason: null }],
    system: { disk_used_bytes: 99, disk_total_bytes: 100 },
  });
  expect(bad).toHaveLength(11);
  // These sentences end with it.
  const ownStep: Concern["code"][] = ["records_lost", "clock_skew"];
  for (const concern of bad) {
    const { advice, sentence } = concernLine(concern);
    expect(advice === null, sentence).toBe(ownStep.includes(concern.code));
  }
});

/** Puts the status of a box together from the parts of its agent. */
import { boxConcerns } from "../../protocol/box-concerns.ts";
import type { Severity } from "../../protocol/concerns/definition.ts";
import { gpuShareOf } from "../../protocol/inventory.ts";
import { OPEN_REQUESTS_MAX } from "../../protocol/limits.ts";
import type { AgentConfig } from "../config.ts";
import type { GpuSource } from "../readings/gpu-source.ts";
import type { InventoryPoller } from "../readings/inventory.ts";
import type { ReadingsSenderShell } from "../readings/readings-sender.ts";
import type { SystemSampler } from "../readings/system-sampler.ts";
import type { LinkState } from "../tunnel/link.ts";
import { concernLine } from "./concern-lines.ts";
import type { LocalStatus } from "./local-status.ts";

/** Everything of a status that the agent itself knows; its process adds the rest. */
export type AgentStatus = Omit<LocalStatus, "agent"> & {
  agent: Pick<LocalStatus["agent"], "is_draining" | "update">;
};

/** The parts of an agent that also make its readings. */
export type ObservedAgent = Omit<ReadingsSenderShell, "send" | "gpu" | "inventory" | "system"> & {
  gpu: Pick<GpuSource, "take" | "latest" | "state">;
  inventory: Pick<InventoryPoller, "latest" | "hasPolled">;
  system: Pick<SystemSampler, "take" | "latest">;
};

type Config = Pick<AgentConfig, "box" | "edgeUrl" | "ollamaUrl" | "simulated">;

export function localStatusOf(
  config: Config,
  observed: ObservedAgent,
  link: LinkState,
  isDraining: boolean,
  nowMs = Date.now(),
): AgentStatus {
  const inventory = observed.inventory.latest();
  const reachable = observed.inventory.hasPolled ? inventory.reachable : null;
  const gpu = observed.gpu.state();
  const gpus = observed.gpu.latest();
  const system = observed.system.latest();
  const { spooled, lost, tunnel_ms, pins, update } = observed.counts();
  const requests = observed.requests();
  const concerns = boxConcerns({
    name: config.box,
    // The tunnel has a line of its own.
    state: isDraining ? "draining" : "up",
    last_seen: null,
    in_flight: requests.length,
    lost,
    spooled,
    clock_skew_ms: link.skewMs,
    ollama_reachable: reachable,
    ollama_error: inventory.error,
    gpu_failed: gpu.failed,
    gpu_error: gpu.error,
    lost_gpus: gpu.lost,
    gpus,
    loaded: inventory.loaded.map((model) => ({ ...model, gpu_share: gpuShareOf(model) })),
    pins: pins ?? [],
    system,
  });
  return {
    now_ms: nowMs,
    agent: { is_draining: isDraining, update },
    box: config.box,
    simulated: config.simulated,
    edge: {
      url: config.edgeUrl.origin,
      is_up: link.isUp,
      since_ms: link.sinceMs,
      version: link.edgeVersion,
      tunnel_ms: link.isUp ? tunnel_ms : null,
      reason: link.reason,
      clock_skew_ms: link.skewMs,
    },
    ollama: {
      url: config.ollamaUrl.origin,
      reachable,
      error: inventory.error,
      version: inventory.ollama_version,
      models: inventory.models.length,
      loaded: inventory.loaded.map(({ listed: _, ...model }) => model),
    },
    gpu: { error: gpu.error, driver_version: gpu.driver_version, gpus },
    system,
    requests: requests
      .sort((a, b) => (a.started_at < b.started_at ? -1 : 1))
      .slice(0, OPEN_REQUESTS_MAX),
    records: { waiting: spooled, lost: lost ?? 0 },
    concerns: concerns.sort((a, b) => rankOf(a.severity) - rankOf(b.severity)).map(concernLine),
  };
}

const rankOf = (severity: Severity): number => (severity === "critical" ? 0 : 1);

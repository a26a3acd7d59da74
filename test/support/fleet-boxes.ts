/** Boxes of a fleet for tests, of which nothing more is known by default. */
import type { FleetBox, FleetModel } from "../../worker/aggregator/fleet-box.ts";
import type { ModelTimes } from "../../worker/counting/model-times.ts";
import type { Present } from "../../worker/gateway/choose.ts";

export const knownBoxOf = (name: string, rest: Partial<FleetBox> = {}): FleetBox => ({
  name,
  state: "up",
  last_seen_ms: 0,
  simulated: false,
  yields_lost: false,
  takes_may_ask: false,
  is_reachable: true,
  has_gpus: true,
  loaded: [],
  pinned: [],
  installed: [],
  embedders: [],
  models: {},
  readings_at_ms: null,
  models_at: null,
  vram: null,
  is_slowed: false,
  ...rest,
});

export const knownModelOf = (
  times: Partial<ModelTimes> | null = null,
  rest: Partial<FleetModel> = {},
): FleetModel => ({
  open: null,
  slots: null,
  size_bytes: null,
  loaded_bytes: null,
  vram_bytes: null,
  context_length: null,
  times: times && { load_ms: null, token_ms: null, decode_ms: null, ...times },
  ...rest,
});

/** @param open  open requests by box, of whatever model */
export const presentOf = (
  open: Record<string, number> = {},
  nowMs = 0,
  slots: number | null = null,
): Present => ({
  loadOf: ({ name }) => ({ open: open[name] ?? 0, slots }),
  orderOf: (box) => open[box] ?? 0,
  nowMs,
});

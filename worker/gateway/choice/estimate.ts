/**
 * Estimates when a box would have answered a call: the terms of the choice, in milliseconds. Pure.
 *
 * Every term is a time that the caller waits, or that another caller will. `docs/routing.md` has the table
 * of the terms and of the constants below.
 */
import { withTag } from "../../../protocol/inventory.ts";
import { SLOTS_DEFAULT } from "../../../protocol/limits.ts";
import type { FleetBox, FleetModel } from "../../aggregator/fleet-box.ts";
import type { ModelLoad } from "../../box/load.ts";

/** The times that are expected while none is known on any box. */
export const EXPECTED = {
  /** A load: this, and more for each gigabyte on disk. A SATA SSD reads 0.5 GB/s, an NVMe disk 3 GB/s. */
  loadMs: 2_000,
  loadMsPerGb: 1_000,
  /** A load of a model of unknown size. */
  loadUnknownMs: 10_000,
  /** One token of a prompt: 2,000 in a second. */
  tokenMs: 0.5,
  /** An answer. */
  decodeMs: 4_000,
  /** The length of a prompt without a readable body. */
  promptTokens: 200,
  slots: SLOTS_DEFAULT,
} as const;

/** Memory of a loaded model over its size on disk: its context and buffers. */
export const MEMORY_PER_SIZE = 1.2;

/** The share of its load that the loss of an idle model costs: some are never called again. */
export const EVICTION_SHARE = 0.5;

/**
 * The share of a load that is left on average while the agent of a box loads a pinned model. It makes
 * room for it in any case.
 */
export const PINNED_LOAD_SHARE = 0.5;

/** Times of a box that is hot or throttled, over its usual ones. */
export const SLOWED_FACTOR = 1.5;

/** Times of a model that does not fit on the GPUs of a box, over those on other boxes. */
export const ON_CPU_FACTOR = 4;

const GB = 1e9;

/** The part of a call that its choice depends on. */
export type WantedModel = {
  /** With its tag. */
  model: string;
  /** Null if unknown. */
  promptTokens: number | null;
  /** The context that the call requests; null for the default. */
  numCtx: number | null;
  /** The box that served the conversation last, and the tokens of the prompt then. */
  kept: { box: string; tokens: number } | null;
};

export type Estimate = {
  /** The requests before this one. */
  waitMs: number;
  /** 0 if the model is in memory as the call needs it. */
  loadMs: number;
  /** The loads of the models that make room. */
  evictionMs: number;
  /** The part of the prompt that the box has not read in an earlier call. */
  prefillMs: number;
  decodeMs: number;
  totalMs: number;
  isLoaded: boolean;
  /** The box keeps a part of the prompt. */
  isKept: boolean;
  /** The load that the wait follows from. */
  open: number;
  slots: number;
  /** The time of one request. */
  serviceMs: number;
};

type Times = { loadMs: number; tokenMs: number; decodeMs: number };

export type LoadOf = (box: FleetBox, serviceMs: number) => ModelLoad;

/** Bytes of a body for each token of its prompt: four of English text, and the JSON around it. */
const BYTES_PER_TOKEN = 4.5;
/** Images make a body longer, and no prompt is longer than the context of most models. */
const PROMPT_TOKENS_MAX = 32_768;

/** Returns the part of a wanted model that follows from the body of the call. */
export const wantedPrompt = (bodyBytes: number | null): Omit<WantedModel, "model"> => ({
  promptTokens:
    bodyBytes === null ? null : Math.min(PROMPT_TOKENS_MAX, bodyBytes / BYTES_PER_TOKEN),
  numCtx: null,
  kept: null,
});

/** Returns the estimates of boxes that have the model, in their order. */
export function estimatesOf(
  holders: readonly FleetBox[],
  wanted: WantedModel,
  loadOf: LoadOf,
): Estimate[] {
  return holders.map((box) => {
    const times = timesOn(box, wanted.model, holders);
    const promptTokens = wanted.promptTokens ?? EXPECTED.promptTokens;
    const serviceMs = promptTokens * times.tokenMs + times.decodeMs;
    const load = loadOf(box, serviceMs);
    const slots = load.slots ?? EXPECTED.slots;
    const model = box.models[wanted.model];
    const isInMemory = isAmong(box.loaded, wanted.model);
    const isLoaded = isInMemory && hasContext(model, wanted.numCtx);
    const isKept = isLoaded && wanted.kept?.box === box.name;
    const keptTokens = isKept ? Math.min(promptTokens, wanted.kept?.tokens ?? 0) : 0;
    const isComing = !isInMemory && isAmong(box.pinned, wanted.model);
    const room = isInMemory || isComing ? NO_ROOM_NEEDED : roomFor(box, wanted.model, holders);
    // A model is loaded again with another context once its requests have ended.
    const reloadMs = isInMemory && !isLoaded ? (load.open * serviceMs) / slots : 0;
    const terms = {
      waitMs: waitOf(load.open, slots, serviceMs) + reloadMs + room.waitMs,
      loadMs: isLoaded ? 0 : times.loadMs * (isComing ? PINNED_LOAD_SHARE : 1),
      evictionMs: room.evictionMs,
      prefillMs: (promptTokens - keptTokens) * times.tokenMs,
      decodeMs: times.decodeMs,
    };
    const totalMs = Object.values(terms).reduce((sum, ms) => sum + ms, 0);
    return { ...terms, totalMs, isLoaded, isKept, open: load.open, slots, serviceMs };
  });
}

/** Returns the wait for one of the slots. */
const waitOf = (open: number, slots: number, serviceMs: number): number =>
  (Math.max(0, open - slots + 1) * serviceMs) / slots;

/**
 * Returns the most open requests with which the box is still the better choice.
 * @param otherMs  the total of the next box, and of the time to go there
 */
export function openMost(
  { waitMs, totalMs, open, slots, serviceMs }: Estimate,
  otherMs: number,
): number {
  if (serviceMs <= 0) return open;
  const roomMs = otherMs - (totalMs - waitMs);
  return Math.max(open, slots - 1 + Math.floor((roomMs * slots) / serviceMs));
}

/** Returns the times on a box: its own, the mean of the other holders, or the defaults. */
function timesOn(box: FleetBox, model: string, holders: readonly FleetBox[]): Times {
  const own = box.models[model];
  const others = holders.filter(({ name }) => name !== box.name);
  const isTooLarge = fitsOn(box, own) === false;
  const borrowed = isTooLarge ? ON_CPU_FACTOR : 1;
  const factor = box.is_slowed ? SLOWED_FACTOR : 1;
  const of = (field: "token_ms" | "decode_ms", unknown: number): number => {
    const known = own?.times?.[field] ?? null;
    if (known !== null) return factor * known;
    const elsewhere = others.flatMap((other) => other.models[model]?.times?.[field] ?? []);
    return factor * borrowed * (meanOf(elsewhere) ?? unknown);
  };
  return {
    loadMs: loadMsOf(own),
    tokenMs: of("token_ms", EXPECTED.tokenMs),
    decodeMs: of("decode_ms", EXPECTED.decodeMs),
  };
}

function loadMsOf(model: FleetModel | undefined): number {
  const known = model?.times?.load_ms ?? null;
  if (known !== null) return known;
  const bytes = model?.size_bytes ?? null;
  if (bytes === null) return EXPECTED.loadUnknownMs;
  return EXPECTED.loadMs + (bytes / GB) * EXPECTED.loadMsPerGb;
}

const memoryOf = (model: FleetModel | undefined): number | null =>
  model?.loaded_bytes ?? (model?.size_bytes == null ? null : model.size_bytes * MEMORY_PER_SIZE);

/** Returns whether the GPUs of a box have room for a model, if nothing else is there. */
function fitsOn({ vram }: FleetBox, model: FleetModel | undefined): boolean | null {
  const bytes = memoryOf(model);
  return vram === null || bytes === null ? null : bytes <= vram.total_bytes;
}

const NO_ROOM_NEEDED = { waitMs: 0, evictionMs: 0 };

/**
 * Returns the price of making room for a model. Ollama unloads idle models first, and waits for busy
 * ones.
 */
function roomFor(
  box: FleetBox,
  model: string,
  holders: readonly FleetBox[],
): { waitMs: number; evictionMs: number } {
  const bytes = memoryOf(box.models[model]);
  if (box.vram === null || bytes === null) return NO_ROOM_NEEDED;
  let missing = bytes - box.vram.free_bytes;
  let [waitMs, evictionMs] = [0, 0];
  const others = box.loaded
    .map((name) => ({ name, is: box.models[name] }))
    .sort((a, b) => (a.is?.open ?? 0) - (b.is?.open ?? 0));
  for (const { name, is } of others) {
    if (missing <= 0) break;
    missing -= is?.vram_bytes ?? memoryOf(is) ?? 0;
    // A pinned model is loaded again for certain.
    evictionMs += (isAmong(box.pinned, withTag(name)) ? 1 : EVICTION_SHARE) * loadMsOf(is);
    const open = is?.open ?? 0;
    const times = timesOn(box, name, holders);
    if (open > 0) waitMs += (open * times.decodeMs) / (is?.slots ?? EXPECTED.slots);
  }
  return { waitMs, evictionMs };
}

const hasContext = (model: FleetModel | undefined, numCtx: number | null): boolean =>
  numCtx === null || model?.context_length == null || model.context_length === numCtx;

const isAmong = (names: readonly string[], tagged: string): boolean =>
  names.some((name) => withTag(name) === tagged);

const meanOf = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;

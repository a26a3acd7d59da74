/**
 * Two hours of a box that are usual until 14:05 and have one planted cause from then on. The box serves one
 * request after the other and keeps one model in its memory.
 */
import type { RequestRecord } from "../../protocol/records.ts";
import { recordOf } from "./records.ts";
import { seeded } from "./seeded.ts";

export const PERIOD_FROM = Date.parse("2026-11-24T14:00:00Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
export const CHANGED_AT = PERIOD_FROM + 5 * MINUTE;
export const PERIOD_TO = PERIOD_FROM + HOUR;

export type Planted =
  | "none"
  | "models"
  | "contexts"
  | "pauses"
  | "traffic"
  | "slow_gpu"
  | "long_answers"
  | "long_prompts"
  | "large_model"
  | "failed_box"
  | "tunnel"
  | "failures"
  | "over";

type Wish = {
  atMs: number;
  model: string;
  context: number;
  key: string;
  prompt: number;
  answer: number;
};

/**
 * Returns the records of the two hours, in order of time.
 * @param shiftMs  moves them to another time
 */
export function plantedRecords(cause: Planted, seed: number, shiftMs = 0): RequestRecord[] {
  const random = seeded(seed);
  const between = (low: number, high: number) => low + (high - low) * random();
  const wishes: Wish[] = [];
  const stream = (fromMs: number, toMs: number, everyMs: number, wish: () => Partial<Wish>) => {
    for (let atMs = fromMs; atMs < toMs; atMs += everyMs * between(0.5, 1.5)) {
      const usual = { model: "llama3.2", context: 4_096, key: random() < 0.5 ? "app" : "cron" };
      const sizes = { prompt: between(200, 900), answer: between(40, 120) };
      wishes.push({ atMs, ...usual, ...sizes, ...wish() });
    }
  };
  const usualMs = 20_000;
  stream(PERIOD_FROM - HOUR, CHANGED_AT, usualMs, () => ({}));
  const during = (everyMs: number, wish: () => Partial<Wish> = () => ({})) =>
    stream(CHANGED_AT, cause === "over" ? CHANGED_AT + 20 * MINUTE : PERIOD_TO, everyMs, wish);
  switch (cause) {
    case "models":
    case "over":
      during(usualMs, () => (random() < 0.5 ? { model: "mistral", key: "batch" } : {}));
      if (cause === "over") stream(CHANGED_AT + 20 * MINUTE, PERIOD_TO, usualMs, () => ({}));
      break;
    case "contexts":
      during(usualMs, () => (random() < 0.5 ? { context: 8_192 } : {}));
      break;
    case "pauses":
      during(7 * MINUTE);
      break;
    case "traffic":
      during(usualMs);
      stream(CHANGED_AT, PERIOD_TO, 2_200, () => ({ key: "batch" }));
      break;
    case "long_answers":
      during(usualMs, () => (random() < 0.6 ? { answer: between(400, 900), key: "essay" } : {}));
      break;
    case "long_prompts":
      during(usualMs, () => (random() < 0.6 ? { prompt: between(9_000, 20_000), key: "rag" } : {}));
      break;
    case "large_model":
      during(usualMs, () => (random() < 0.7 ? { model: "llama3.3:70b" } : {}));
      break;
    default:
      during(usualMs);
  }
  return served(
    wishes.sort((a, b) => a.atMs - b.atMs),
    cause,
    between,
    shiftMs,
  );
}

/** Loads a model before its first call, and again after five minutes without one. */
function served(
  wishes: Wish[],
  cause: Planted,
  between: (low: number, high: number) => number,
  shiftMs: number,
): RequestRecord[] {
  const loaded = { name: "llama3.2 4096", untilMs: PERIOD_FROM - HOUR + 5 * MINUTE };
  // Both fit into the memory.
  if (cause === "large_model") loaded.untilMs = Number.POSITIVE_INFINITY;
  let freeMs = 0;
  return wishes.map(({ atMs, model, context, key, prompt, answer }, n) => {
    const isAfter = atMs >= CHANGED_AT;
    const edge_ms = isAfter && cause === "failed_box" ? between(3_900, 4_200) : between(2, 5);
    const tunnel_ms = isAfter && cause === "tunnel" ? between(2_500, 3_500) : between(20, 40);
    const cameMs = atMs + edge_ms + tunnel_ms;
    const startMs = Math.max(cameMs, freeMs);
    const name = cause === "large_model" ? loaded.name : `${model} ${context}`;
    const isCold = loaded.name !== name || loaded.untilMs < startMs;
    const load_ms = isCold ? between(6_000, 8_000) : between(1, 30);
    const pace = model === "llama3.3:70b" ? 8 : isAfter && cause === "slow_gpu" ? 18 : 60;
    const decode_ms = (1_000 * answer) / (pace * between(0.9, 1.1));
    const prefill_ms = prompt / between(1.8, 2.2);
    freeMs = startMs + load_ms + prefill_ms + decode_ms;
    loaded.name = name;
    if (cause !== "large_model") loaded.untilMs = freeMs + 5 * MINUTE;
    const hasFailed = isAfter && cause === "failures" && between(0, 1) < 0.3;
    return recordOf(
      Math.round(atMs) + shiftMs,
      {
        ...{ model, key_id: key, key_name: key, context_length: context },
        ...{ prompt_tokens: Math.round(prompt), completion_tokens: Math.round(answer) },
        ...{ edge_ms, tunnel_ms, load_ms, prefill_ms, decode_ms },
        queue_ms: startMs - cameMs,
        latency_ms: freeMs - atMs + between(1, 20),
        moved_from: isAfter && cause === "failed_box" ? "basil:no_answer:4000ms" : null,
        ...(hasFailed
          ? { status: "error" as const, failed_at: "ollama" as const, http_status: 500 }
          : {}),
      },
      n,
    );
  });
}

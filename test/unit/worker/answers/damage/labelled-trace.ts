/**
 * A made-up day of a box whose causes of damage are known: its models come into a memory with room for some of
 * them, leave it when others need the room or their time is over, and answer at a pace that may change. The
 * agent's own code decides which prompts were cut.
 */
import { PromptFit } from "../../../../../agent/infer/prompt-fit.ts";
import { withTag } from "../../../../../protocol/inventory.ts";
import type { RequestRecord } from "../../../../../protocol/records.ts";
import { type FinishedCall, finishedCallOf } from "../../../../../worker/answers/damage/calls.ts";
import { recordOf } from "../../../../support/records.ts";
import { seeded } from "../../../../support/seeded.ts";

export const NOW = Date.parse("2026-11-24T18:00:00Z");
const MINUTE = 60_000;
const KEEP_MS = 5 * MINUTE;
/** The cause begins, or in the case of a slow model the slowness does. */
export const PLANTED_AT = NOW - 65 * MINUTE;
export const SLOW_AT = NOW - 20 * MINUTE;

export type Cause =
  | "calm"
  | "busy"
  | "sparse"
  | "models"
  | "contexts"
  | "short_keep_alive"
  | "long_prompts"
  | "slow"
  | "neighbour";

type Wish = { atMs: number; model: string; context: number; chars: number };

export const traceOf = (cause: Cause, seed: number): FinishedCall[] =>
  recordsOf(cause, seed).flatMap((record) => finishedCallOf(record) ?? []);

export function recordsOf(cause: Cause, seed: number): RequestRecord[] {
  const random = seeded(seed);
  const between = (low: number, high: number) => low + (high - low) * random();
  const wishes: Wish[] = [];
  const stream = (
    fromMs: number,
    toMs: number,
    everyMs: number,
    wish: () => Partial<Wish>,
    spread = 0.5,
  ) => {
    for (let atMs = fromMs; atMs < toMs; atMs += everyMs * between(1 - spread, 1 + spread))
      wishes.push({
        atMs,
        model: "llama3.2",
        context: 4_096,
        chars: between(400, 9_000),
        ...wish(),
      });
  };
  const dayAgo = NOW - 12 * 60 * MINUTE;
  // A usual day, so that calm worlds have something to be mistaken for.
  const usualMs = cause === "sparse" ? 3 * 60 * MINUTE : 2 * MINUTE;
  if (cause !== "short_keep_alive") stream(dayAgo, NOW, usualMs, () => ({}));
  const [quick, hour] = [between(20_000, 60_000), PLANTED_AT];
  switch (cause) {
    case "busy":
      stream(hour, NOW, 4_000, () => ({}));
      break;
    case "models":
      stream(hour, NOW, quick, () => ({ model: random() < 0.5 ? "mistral" : "llama3.2" }));
      break;
    case "contexts":
      stream(hour, NOW, quick, () => ({ context: random() < 0.5 ? 8_192 : 4_096 }));
      break;
    case "short_keep_alive":
      // Ten to twenty minutes between two calls, so each one waits for a load.
      stream(dayAgo, NOW, 15 * MINUTE, () => ({}), 0.3);
      break;
    case "long_prompts":
      stream(hour, NOW, 5 * MINUTE, () => ({ chars: between(40_000, 90_000) }));
      break;
    case "neighbour":
      stream(SLOW_AT, NOW, 2_000, () => ({ model: "embedder" }));
      stream(SLOW_AT, NOW, quick, () => ({}));
      break;
    case "slow":
      stream(SLOW_AT, NOW, quick, () => ({}));
      break;
  }
  return served(wishes, cause, between);
}

/** Serves the wishes as Ollama would, with room for one model; an embedder takes no room. */
function served(
  wishes: Wish[],
  cause: Cause,
  between: (low: number, high: number) => number,
): RequestRecord[] {
  const fit = new PromptFit();
  const pace = between(30, 120);
  const loadMs = between(3_000, 20_000);
  const slowness = between(0.25, 0.5);
  let loaded = { name: "", untilMs: 0 };
  const freeMs = new Map<string, number>();
  return wishes
    .sort((a, b) => a.atMs - b.atMs)
    .flatMap(({ atMs, model, context, chars }, n) => {
      const isEmbedder = model === "embedder";
      const startMs = Math.max(atMs, freeMs.get(isEmbedder ? model : "") ?? 0);
      const name = `${model} ${context}`;
      const isCold = !isEmbedder && (loaded.name !== name || loaded.untilMs < startMs);
      const load_ms = isCold ? loadMs * between(0.9, 1.1) : between(1, 40);
      const isSlow = startMs > SLOW_AT && (cause === "slow" || cause === "neighbour");
      const rate = pace * between(0.8, 1.2) * (isSlow ? slowness : 1);
      const tokens = Math.round(between(20, 400));
      const decode_ms = (1_000 * tokens) / rate;
      const latency_ms = load_ms + decode_ms + between(20, 300);
      const needed = Math.round(chars / between(3.2, 4.6));
      // The rest of a cut text fills the context exactly; of a chat, whole messages are left out.
      const read =
        needed <= context ? needed : Math.round(context * Math.min(1, between(0.5, 1.5)));
      const endMs = startMs + latency_ms;
      freeMs.set(isEmbedder ? model : "", endMs);
      if (!isEmbedder) loaded = { name, untilMs: endMs + KEEP_MS };
      if (endMs > NOW) return [];
      const sent = { model: withTag(model), chars: Math.round(chars), requestedContext: context };
      return recordOf(
        Math.round(startMs),
        {
          model,
          latency_ms,
          load_ms,
          decode_ms,
          completion_tokens: tokens,
          prompt_tokens: read,
          ...fit.finished(sent, read),
          energy_j: latency_ms * 0.3,
          key_name: model === "llama3.2" && context === 4_096 ? "app" : "other",
        },
        n,
      );
    });
}

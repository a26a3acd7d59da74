/** The estimate of cached prompts beside a cache that is known. */
import { expect, test } from "vitest";
import type { RequestRecord } from "../../../../../protocol/records.ts";
import { cachedTokensOf } from "../../../../../worker/answers/damage/cached-prompts.ts";
import { type FinishedCall, finishedCallOf } from "../../../../../worker/answers/damage/calls.ts";
import { recordOf } from "../../../../support/records.ts";
import { seeded } from "../../../../support/seeded.ts";

const START = Date.parse("2026-11-24T12:00:00Z");
const SEEDS = 20;
const CALLS = 400;
/** The time of a GPU for a prompt, besides its tokens. */
const OVERHEAD_MS = 8;
const LOAD_MS = 4_000;

type Served = { call: FinishedCall; cached: number };

function callOf(n: number, rest: Partial<RequestRecord>): FinishedCall {
  const call = finishedCallOf(recordOf(START + n * 60_000, { load_ms: 2, ...rest }, n));
  if (call === null) throw new Error("the call has no model");
  return call;
}

/**
 * Conversations whose prompts grow, on a model that keeps the prompt and the answer of its last call. It is
 * unloaded after some of the calls, and the pace of each prompt differs by up to a tenth.
 */
function conversations(seed: number): Served[] {
  const random = seeded(seed);
  const between = (low: number, high: number) => Math.round(low + random() * (high - low));
  const tokenMs = between(10, 200) / 100;
  const talks = Array.from({ length: 4 }, () => ({ tokens: between(200, 2_000) }));
  let kept: { talk: number; tokens: number } | null = null;
  return Array.from({ length: CALLS }, (_, n) => {
    // People go on where they were more often than not.
    const talk: number = kept !== null && random() < 0.6 ? kept.talk : between(0, 3);
    const spoken = talks[talk] ?? { tokens: 0 };
    if (spoken.tokens > 8_000) spoken.tokens = between(200, 2_000);
    else spoken.tokens += between(20, 400);
    const isCold: boolean = kept === null || random() < 0.05;
    const cached: number =
      isCold || kept?.talk !== talk ? 0 : Math.min(kept.tokens, spoken.tokens - 1);
    const pace = tokenMs * (0.9 + 0.2 * random());
    const call = callOf(n, {
      load_ms: isCold ? LOAD_MS : 2,
      prompt_tokens: spoken.tokens,
      prefill_ms: OVERHEAD_MS + (spoken.tokens - cached) * pace,
    });
    kept = { talk, tokens: spoken.tokens + between(0, 200) };
    spoken.tokens = kept.tokens;
    return { call, cached };
  });
}

test("estimates the cached tokens of prompts in conversations within an eighth of the prompt", () => {
  let [right, wrong, unknown] = [0, 0, 0];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const served = conversations(seed);
    const calls = served.map(({ call }) => call);
    for (const { call, cached } of served) {
      const estimated = cachedTokensOf(call, calls);
      if (estimated === null) unknown++;
      else if (Math.abs(estimated - cached) <= (call.prompt_tokens ?? 0) / 8) right++;
      else wrong++;
    }
  }
  expect(right / (right + wrong)).toBeGreaterThan(0.95);
  expect(unknown).toBeLessThan((SEEDS * CALLS) / 20);
});

test("knows nothing until some calls show the pace", () => {
  const cold = { load_ms: LOAD_MS, prompt_tokens: 1_000, prefill_ms: 1_000 };
  const warm = callOf(9, { prompt_tokens: 1_000, prefill_ms: 100 });
  const loads = [1, 2, 3].map((n) => callOf(n, cold));
  expect(cachedTokensOf(warm, loads.slice(1))).toBe(null);
  expect(cachedTokensOf(warm, loads)).toBe(900);
});

test("compares a prompt only with others of about its length, and never below 0", () => {
  const loads = [1, 2, 3].map((n) =>
    callOf(n, { load_ms: LOAD_MS, prompt_tokens: 1_000, prefill_ms: 1_000 }),
  );
  expect(cachedTokensOf({ prompt_tokens: 8_000, prefill_ms: 10 }, loads)).toBe(null);
  expect(cachedTokensOf({ prompt_tokens: 1_000, prefill_ms: 1_400 }, loads)).toBe(0);
  expect(cachedTokensOf({ prompt_tokens: 63, prefill_ms: 1 }, loads)).toBe(null);
  expect(cachedTokensOf({ prompt_tokens: null, prefill_ms: 1 }, loads)).toBe(null);
  expect(cachedTokensOf({ prompt_tokens: 1_000, prefill_ms: null }, loads)).toBe(null);
});

/**
 * A day of calls, drawn from a seed: quiet at night, busy around 10 and 15 o'clock, with bursts of programs
 * that send all their calls at once. Pure.
 */
import { DAY_MS } from "../../protocol/day.ts";

/** A model: its size on disk, and its speed as a multiple of the pace of an 8B model. */
export type ReplayedModel = { name: string; bytes: number; pace: number; share: number };

const GB = 1e9;

export const MODELS: readonly ReplayedModel[] = [
  { name: "qwen3:8b", bytes: 5.2 * GB, pace: 1, share: 0.46 },
  { name: "gpt-oss:20b", bytes: 13.8 * GB, pace: 0.8, share: 0.22 },
  { name: "llama3.2:latest", bytes: 2 * GB, pace: 0.6, share: 0.16 },
  { name: "qwen3:32b", bytes: 20 * GB, pace: 3, share: 0.1 },
  { name: "llama3.3:70b", bytes: 42.5 * GB, pace: 5, share: 0.06 },
];

export type ReplayedCall = {
  atMs: number;
  model: ReplayedModel;
  promptTokens: number;
  answerTokens: number;
  /** The conversation of this turn, whose prompt contains the turns before. Null for a call of its own. */
  conversation: string | null;
};

/** Calls of one caller each, at night and at the busiest hour. */
const QUIET_PER_HOUR = 40;
const BUSY_PER_HOUR = 420;
const BUSY_HOURS = [10, 15];
const BUSY_WIDTH_HOURS = 2;

const BURSTS = 14;
const BURST_CALLS_MAX = 60;
const BURST_MS = 4_000;

/** @param random  uniform in [0, 1) */
export function traceOf(random: () => number): ReplayedCall[] {
  const calls: ReplayedCall[] = [];
  for (let atMs = 0; atMs < DAY_MS; ) {
    atMs += (-Math.log(1 - random()) * 3_600_000) / perHour(atMs);
    calls.push(callAt(atMs, pick(random), random));
  }
  for (let burst = 0; burst < BURSTS; burst++) {
    const fromMs = (8 + 10 * random()) * 3_600_000;
    const model = pick(random);
    const count = 10 + Math.floor(random() * (BURST_CALLS_MAX - 10));
    for (let n = 0; n < count; n++) calls.push(callAt(fromMs + random() * BURST_MS, model, random));
  }
  return calls.filter(({ atMs }) => atMs < DAY_MS).sort((a, b) => a.atMs - b.atMs);
}

function perHour(atMs: number): number {
  const hour = atMs / 3_600_000;
  const peak = Math.max(
    ...BUSY_HOURS.map((busy) => Math.exp(-(((hour - busy) / BUSY_WIDTH_HOURS) ** 2))),
  );
  return QUIET_PER_HOUR + peak * (BUSY_PER_HOUR - QUIET_PER_HOUR);
}

function pick(random: () => number): ReplayedModel {
  let left = random();
  for (const model of MODELS) {
    left -= model.share;
    if (left < 0) return model;
  }
  return MODELS[0] as ReplayedModel;
}

const callAt = (atMs: number, model: ReplayedModel, random: () => number): ReplayedCall => ({
  atMs,
  model,
  promptTokens: Math.round(Math.min(16_000, 400 * spread(random, 1.1))),
  answerTokens: Math.round(Math.min(2_000, 200 * spread(random, 0.7))),
  conversation: null,
});

const CONVERSATIONS = 500;
const TURNS_MAX = 12;
/** System prompt, tools and documents, before the first turn. */
const OPENING_TOKENS = 2_000;

/** Draws the calls of conversations: each turn comes some time after the one before. */
export function conversationsOf(random: () => number): ReplayedCall[] {
  const calls: ReplayedCall[] = [];
  for (let n = 0; n < CONVERSATIONS; n++) {
    const model = pick(random);
    let atMs = (8 + 10 * random()) * 3_600_000;
    let promptTokens = Math.min(12_000, OPENING_TOKENS * spread(random, 0.6));
    const turns = 2 + Math.floor(random() * (TURNS_MAX - 1));
    for (let turn = 0; turn < turns; turn++) {
      const call = callAt(atMs, model, random);
      promptTokens += call.promptTokens / 4;
      calls.push({ ...call, promptTokens: Math.round(promptTokens), conversation: `c${n}` });
      promptTokens += call.answerTokens;
      atMs += 30_000 * spread(random, 0.8) + 20_000 * model.pace;
    }
  }
  return calls.filter(({ atMs }) => atMs < DAY_MS);
}

/** Draws from a log-normal distribution with the median 1. */
const spread = (random: () => number, sigma: number): number =>
  Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));

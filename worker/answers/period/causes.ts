/** The causes by which the requests of a stretch of time took longer than those before. Pure. */
import type { PeriodCause } from "../../../protocol/api/explanation.ts";
import { keyOf, mostFrequent, placeOf } from "../damage/calls.ts";
import { countText, durationText, PLAIN, tenths } from "../wording.ts";
import type { PeriodCall } from "./calls.ts";
import { boxOf, type Compared, type Grown, modelOf, type Named, plain } from "./compared.ts";
import { type Excess, excessesOf, PARTS, type Part } from "./excess.ts";
import { loadCause } from "./load-cause.ts";
import { concernsIn, cutsOf, type Stretched } from "./surroundings.ts";

/** A smaller part of the added time explains little. */
const SHARE_MIN = 0.15;
const CAUSES_MAX = 3;
/** A figure that changed by less than this is no cause by itself. */
const MORE = 1.3;

export function causesOf(compared: Compared): PeriodCause[] {
  const { calls, before } = compared;
  if (calls.length === 0 || before.length === 0) return [];
  const { excesses, usual } = excessesOf(calls, before);
  const sums = PARTS.map((part) => ({ part, ms: sumOf(excesses.map(({ parts }) => parts[part])) }));
  const grown = sums.filter(({ ms }) => ms > 0).sort((a, b) => b.ms - a.ms);
  const total = sumOf(grown.map(({ ms }) => ms));
  return grown
    .filter(({ ms }) => ms >= SHARE_MIN * total)
    .slice(0, CAUSES_MAX)
    .map(({ part, ms }) => {
      const top = largest(excesses, part);
      const [first] = top;
      const means = first === undefined ? null : (usual.get(placeOf(first.call)) ?? null);
      const named = NAMED[part]({ part, top, usual: means }, compared);
      return { ...named, share: Math.min(1, ms / total), lost_ms: ms };
    });
}

/** Returns the calls of the model and box that have most of a part, the largest first. */
function largest(excesses: readonly Excess[], part: Part): Excess[] {
  const groups = [...Map.groupBy(excesses, ({ call }) => placeOf(call)).values()];
  const sum = (of: readonly Excess[]) => sumOf(of.map(({ parts }) => parts[part]));
  const most = groups.reduce((a, b) => (sum(b) > sum(a) ? b : a), groups[0] ?? []);
  return most.toSorted((a, b) => b.parts[part] - a.parts[part]);
}

const NAMED: Record<Part, (grown: Grown, compared: Compared) => Named> = {
  load: loadCause,
  queue: queueCause,
  edge: edgeCause,
  model: modelCause,
  answer_rate: (grown, compared) => rateCause("slow_answers", grown, compared),
  prompt_rate: (grown, compared) => rateCause("slow_prompts", grown, compared),
  answer_length: (grown) => lengthCause("long_answers", grown),
  prompt_length: (grown) => lengthCause("long_prompts", grown),
  tunnel: (grown) => {
    const [before, during] = [
      grown.usual?.tunnelMs ?? null,
      mean(grown, ({ tunnel_ms: ms }) => ms),
    ];
    const text = `the way through the tunnel of ${boxOf(grown)} took ${durationText(during)}${instead(before, durationText)}`;
    return { ...plain("tunnel", grown), before, during, text };
  },
  other: (grown) => ({
    ...plain("other", grown),
    text: `the time of ${modelOf(grown)} on ${boxOf(grown)} is outside of the known phases`,
  }),
};

function queueCause(grown: Grown, { allCalls, allBefore, stretch }: Compared): Named {
  const box = boxOf(grown);
  const onBox = (calls: readonly PeriodCall[]) => calls.filter((call) => call.box === box);
  const [now, then] = [onBox(allCalls), onBox(allBefore)];
  const before = perMinute(then, spanOfCalls(then));
  const during = perMinute(now, stretch);
  const waited = `requests waited for a free slot on ${box}`;
  if (before === null || during === null || during < MORE * before)
    return { ...plain("queue", grown), before, during, text: waited };
  const key = keyThatGrew(now, then);
  const by = key === null ? "" : `, most of them by ${key}`;
  const text = `${waited}: ${tenths(during)} requests a minute instead of ${tenths(before)}${by}`;
  return { ...plain("queue", grown), key, before, during, text };
}

/** Returns the key that has most of the added requests; null if they have none. */
function keyThatGrew(now: readonly PeriodCall[], then: readonly PeriodCall[]): string | null {
  const usual = Map.groupBy(then, keyOf);
  const grown = [...Map.groupBy(now, keyOf)].map(([key, calls]) => {
    const part = (usual.get(key)?.length ?? 0) / Math.max(1, then.length);
    return { key, more: calls.length / now.length - part };
  });
  return grown.sort((a, b) => b.more - a.more)[0]?.key ?? null;
}

function edgeCause(grown: Grown, { calls, events, stretch }: Compared): Named {
  const moved = calls.filter(({ moved_from }) => moved_from !== null);
  const from = mostFrequent(moved.map(({ moved_from }) => moved_from?.split(":")[0] ?? null));
  if (from !== null) {
    const text = `${countText(moved.length, "request")} moved on from ${from}, which had failed`;
    return { ...plain("moves", grown), box: from, count: moved.length, text };
  }
  const box = boxOf(grown);
  const cuts = cutsOf(events, box, stretch);
  const cut = cuts === 0 ? "" : ` while its tunnel was cut${cuts === 1 ? "" : ` ${cuts} times`}`;
  const text = `requests for ${box} waited at the edge${cut}`;
  return { ...plain("edge", grown), count: cuts === 0 ? null : cuts, text };
}

function modelCause(grown: Grown, { calls, before: then }: Compared): Named {
  const model = modelOf(grown);
  const part = (of: readonly PeriodCall[]) =>
    of.filter((call) => call.model === model).length / of.length;
  const [before, during] = [part(then), part(calls)];
  const key = mostFrequent(grown.top.map(({ call }) => keyOf(call)));
  const text = `${model} answered ${whole(during)} of the requests instead of ${whole(before)}`;
  return { ...plain("other_model", grown), key, before, during, text };
}

/** Returns a share in whole percent. */
const whole = (share: number): string => PLAIN.percent(Math.round(100 * share) / 100);

function rateCause(kind: "slow_answers" | "slow_prompts", grown: Grown, compared: Compared): Named {
  const isAnswer = kind === "slow_answers";
  const usualMs = isAnswer ? grown.usual?.answerTokenMs : grown.usual?.promptTokenMs;
  const before = usualMs === undefined || usualMs === 0 ? null : 1_000 / usualMs;
  const ms = mean(grown, ({ decode_ms, prefill_ms }) => (isAnswer ? decode_ms : prefill_ms));
  const tokens = mean(grown, ({ completion_tokens, prompt_tokens }) =>
    isAnswer ? completion_tokens : prompt_tokens,
  );
  const during = ms === 0 ? null : (1_000 * tokens) / ms;
  const verb = isAnswer ? "wrote" : "read prompts at";
  const rate = during === null ? "" : ` ${tenths(during)} tokens/s`;
  const text = `${modelOf(grown)} ${verb}${rate} on ${boxOf(grown)}${instead(before, tenths)}${reasonOf(grown, compared)}`;
  return { ...plain(kind, grown), before, during, text };
}

const REASONS: [code: string, text: string][] = [
  ["model_on_cpu", "a part of it ran on the CPU"],
  ["gpu_hot", "a GPU was hot"],
  ["gpu_throttled", "a GPU was throttled"],
  ["gpu_bypassed", "other work used the GPU"],
];

/** Names what else was wrong with the box, or that more requests shared it. */
function reasonOf(grown: Grown, { allCalls, allBefore, events, stretch }: Compared): string {
  const box = boxOf(grown);
  const codes = concernsIn(events, box, stretch);
  const reason = REASONS.find(([code]) => codes.has(code))?.[1];
  if (reason !== undefined) return `: ${reason}`;
  const [now, then] = [atOnce(allCalls, box), atOnce(allBefore, box)];
  return now >= 1.5 && now >= MORE * then ? ` while ${tenths(now)} requests at once shared it` : "";
}

/** Returns how many calls a box answers at once, seen by a call. */
function atOnce(calls: readonly PeriodCall[], box: string): number {
  const ofBox = calls.filter((call) => call.box === box).toSorted((a, b) => a.startMs - b.startMs);
  if (ofBox.length === 0) return 0;
  const working = (call: PeriodCall) =>
    call.endMs - ((call.decode_ms ?? 0) + (call.prefill_ms ?? 0));
  const [starts, ends] = [ofBox.map(working), ofBox.map(({ endMs }) => endMs)];
  const busyMs = sumOf(ends.map((end, at) => end - (starts[at] ?? end)));
  const edges = [...starts.map((at) => [at, 1] as const), ...ends.map((at) => [at, -1] as const)];
  let [open, sinceMs, anyMs] = [0, 0, 0];
  for (const [at, step] of edges.sort(([a, x], [b, y]) => a - b || x - y)) {
    if (open === 0 && step === 1) sinceMs = at;
    open += step;
    if (open === 0) anyMs += at - sinceMs;
  }
  return anyMs === 0 ? 0 : busyMs / anyMs;
}

function lengthCause(kind: "long_answers" | "long_prompts", grown: Grown): Named {
  const isAnswer = kind === "long_answers";
  const before = (isAnswer ? grown.usual?.answerTokens : grown.usual?.promptTokens) ?? null;
  const during = mean(grown, ({ completion_tokens, prompt_tokens }) =>
    isAnswer ? completion_tokens : prompt_tokens,
  );
  const half = grown.top.slice(0, Math.ceil(grown.top.length / 2));
  const key = mostFrequent(half.map(({ call }) => keyOf(call)));
  const by = key === null ? "" : `, most of the long ones by ${key}`;
  const what = isAnswer ? `answers of ${modelOf(grown)}` : `prompts for ${modelOf(grown)}`;
  const text = `${what} had ${Math.round(during)} tokens${instead(before, (n) => String(Math.round(n)))}${by}`;
  return { ...plain(kind, grown), key, before, during, text };
}

const instead = (before: number | null, text: (value: number) => string): string =>
  before === null ? "" : ` instead of ${text(before)}`;

function mean({ top }: Grown, of: (call: PeriodCall) => number | null): number {
  const known = top.flatMap(({ call }) => of(call) ?? []);
  return known.length === 0 ? 0 : sumOf(known) / known.length;
}

function perMinute(calls: readonly PeriodCall[], { fromMs, toMs }: Stretched): number | null {
  return toMs <= fromMs ? null : (60_000 * calls.length) / (toMs - fromMs);
}

const spanOfCalls = (calls: readonly PeriodCall[]): Stretched => ({
  fromMs: calls[0]?.startMs ?? 0,
  toMs: calls.at(-1)?.startMs ?? 0,
});

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

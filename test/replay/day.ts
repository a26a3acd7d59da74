/**
 * Replays a day of calls through three unequal boxes, with one policy for the choice of a box. Pure: the
 * same seed gives the same day.
 */
import type { FleetBox } from "../../worker/aggregator/fleet-box.ts";
import { type BoxTimes, learn } from "../../worker/counting/model-times.ts";
import { Conversations } from "../../worker/gateway/choice/conversations.ts";
import { MEMORY_PER_SIZE, wantedPrompt } from "../../worker/gateway/choice/estimate.ts";
import { chooseBoxes } from "../../worker/gateway/choose.ts";
import { knownBoxOf, knownModelOf } from "../support/fleet-boxes.ts";
import { seeded } from "../support/seeded.ts";
import { type BoxPlan, ReplayedBox, type Served } from "./box.ts";
import { conversationsOf, MODELS, type ReplayedCall, traceOf } from "./trace.ts";

const GB = 1e9;
const SMALL = ["qwen3:8b", "llama3.2:latest"];
const LARGE = [...SMALL, "gpt-oss:20b", "qwen3:32b"];
const ALL = MODELS.map(({ name }) => name);

/** Speeds as published for 8B models in 4 bits; the two cards of the second box share each model. */
export const BOXES: readonly BoxPlan[] = [
  {
    name: "h100",
    memoryBytes: 80 * GB,
    tokensPerSecond: 150,
    promptTokensPerSecond: 9_000,
    diskBytesPerSecond: 2 * GB,
    slots: 4,
    idleW: 73,
    loadedW: 49,
    busyW: 420,
    models: ALL,
  },
  {
    name: "two-3090",
    memoryBytes: 48 * GB,
    tokensPerSecond: 95,
    promptTokensPerSecond: 3_500,
    diskBytesPerSecond: 1 * GB,
    slots: 2,
    idleW: 56,
    loadedW: 28,
    busyW: 520,
    models: LARGE,
  },
  {
    name: "4060",
    memoryBytes: 8 * GB,
    tokensPerSecond: 45,
    promptTokensPerSecond: 1_500,
    diskBytesPerSecond: 0.5 * GB,
    slots: 1,
    idleW: 8,
    loadedW: 6,
    busyW: 110,
    models: SMALL,
  },
];

/** Two equal boxes: nothing but its turns draws a conversation to one of them. */
export const TWINS: readonly BoxPlan[] = BOXES.filter(({ name }) => name === "two-3090").flatMap(
  (plan) =>
    ["twin-a", "twin-b"].map((name) => ({ ...plan, name, memoryBytes: 96 * GB, models: ALL })),
);

/** `not-sticky`: the choice, without knowledge of conversations. */
export type Policy = "choice" | "not-sticky" | "random" | "least-busy" | "warm-first";
export const POLICIES: readonly Policy[] = ["choice", "random", "least-busy", "warm-first"];

/** A choice with everything that was known about it, for the invariants. */
export type Decision = { call: ReplayedCall; box: string; fleet: readonly FleetBox[] };

export type Day = {
  calls: number;
  /** From the arrival of a call to its first token. */
  waitMeanMs: number;
  waitP95Ms: number;
  /** From its arrival to its end. */
  wholeMeanMs: number;
  coldLoads: number;
  wattHours: number;
  decisions: Decision[];
};

/** A Worker refreshes the fleet this often while there are calls. */
const FLEET_MS = 5_000;
const BYTES_PER_TOKEN = 4.5;

/**
 * @param talks  has conversations, in addition to the calls of their own
 * @param plans  the boxes
 */
export function replay(
  policy: Policy,
  seed: number,
  { talks = false, plans = BOXES }: { talks?: boolean; plans?: readonly BoxPlan[] } = {},
): Day {
  const more = talks ? conversationsOf(seeded(seed + 2)) : [];
  const trace = [...traceOf(seeded(seed)), ...more].sort((a, b) => a.atMs - b.atMs);
  const conversations = new Conversations();
  const random = seeded(seed + 1);
  const boxes = plans.map((plan) => new ReplayedBox(plan));
  const learned = new Map<string, BoxTimes>();
  const served: Served[] = [];
  const decisions: Decision[] = [];
  const ended = (box: ReplayedBox, over: Served[]) => {
    served.push(...over);
    for (const each of over) learn(learned, recordOf(box.plan.name, each));
  };
  let fleet: { boxes: FleetBox[]; atMs: number } = { boxes: [], atMs: Number.NEGATIVE_INFINITY };
  for (const call of trace) {
    for (const box of boxes) ended(box, box.advance(call.atMs));
    if (call.atMs - fleet.atMs >= FLEET_MS)
      fleet = { boxes: boxes.map((box) => knownOf(box, learned)), atMs: call.atMs };
    const holders = boxes.filter(({ plan }) => plan.models.includes(call.model.name));
    const name =
      policy === "choice" || policy === "not-sticky"
        ? chosen(call, fleet.boxes, boxes, policy === "choice" ? conversations : random)
        : simple(policy, call, holders, random);
    if (policy === "choice")
      decisions.push({ call, box: name, fleet: withLoad(fleet.boxes, boxes) });
    const box = boxes.find(({ plan }) => plan.name === name);
    if (box === undefined) throw new Error(`no box was chosen for ${call.model.name}`);
    ended(box, box.arrive(call, call.atMs));
  }
  for (const box of boxes) {
    while (box.open() > 0) ended(box, box.advance(box.dueMs));
  }
  const endMs = Math.max(...served.map((each) => each.endMs));
  for (const box of boxes) box.advance(endMs);
  const waits = served.map(({ firstMs, arrivedMs }) => firstMs - arrivedMs).sort((a, b) => a - b);
  return {
    calls: served.length,
    waitMeanMs: meanOf(waits),
    waitP95Ms: waits[Math.floor(0.95 * waits.length)] ?? 0,
    wholeMeanMs: meanOf(served.map(({ endMs: toMs, arrivedMs }) => toMs - arrivedMs)),
    coldLoads: boxes.reduce((sum, { loads }) => sum + loads, 0),
    wattHours: boxes.reduce((sum, { wattHours }) => sum + wattHours, 0),
    decisions,
  };
}

/** The real choice, with the load that the Boxes count and a fleet that may be out of date. */
function chosen(
  call: ReplayedCall,
  fleet: readonly FleetBox[],
  boxes: readonly ReplayedBox[],
  /** The conversations so far, or an order of equal boxes by chance. */
  by: Conversations | (() => number),
): string {
  const conversations = typeof by === "function" ? null : by;
  const { conversation, atMs } = call;
  const model = call.model.name;
  const boxOf = (name: string) => boxes.find(({ plan }) => plan.name === name);
  const prompt = wantedPrompt(call.promptTokens * BYTES_PER_TOKEN);
  const kept =
    conversation === null
      ? null
      : (conversations?.kept(conversation, prompt.promptTokens, atMs) ?? null);
  const wanted = { model, ...prompt, kept };
  const [first] = chooseBoxes(fleet, wanted, {
    loadOf: ({ name }) => ({
      open: boxOf(name)?.open(model) ?? 0,
      slots: boxOf(name)?.plan.slots ?? null,
    }),
    orderOf: (name) => (boxOf(name)?.open() ?? 0) + (typeof by === "function" ? by() : 0),
    nowMs: atMs,
  });
  const name = first?.box ?? "";
  if (conversation !== null) conversations?.served(conversation, name, prompt.promptTokens, atMs);
  return name;
}

function simple(
  policy: Policy,
  { model }: ReplayedCall,
  holders: readonly ReplayedBox[],
  random: () => number,
): string {
  const ranked = holders
    .map((box) => ({
      box,
      isCold: policy === "warm-first" && !box.loaded.includes(model.name),
      open: policy === "random" ? 0 : box.open(),
      tie: random(),
    }))
    .sort((a, b) => Number(a.isCold) - Number(b.isCold) || a.open - b.open || a.tie - b.tie);
  return ranked[0]?.box.plan.name ?? "";
}

function knownOf(box: ReplayedBox, learned: ReadonlyMap<string, BoxTimes>): FleetBox {
  const { name, models, memoryBytes, slots } = box.plan;
  const { loaded } = box;
  const known = MODELS.filter((model) => models.includes(model.name)).map((model) => {
    const isLoaded = loaded.includes(model.name);
    const memory = isLoaded ? model.bytes * MEMORY_PER_SIZE : null;
    return [
      model.name,
      knownModelOf(learned.get(name)?.get(model.name) ?? null, {
        open: box.open(model.name),
        slots,
        size_bytes: model.bytes,
        loaded_bytes: memory,
        vram_bytes: memory,
      }),
    ] as const;
  });
  return knownBoxOf(name, {
    loaded,
    installed: [...models],
    models: Object.fromEntries(known),
    vram: { total_bytes: memoryBytes, free_bytes: box.freeBytes },
  });
}

const withLoad = (fleet: readonly FleetBox[], boxes: readonly ReplayedBox[]): FleetBox[] =>
  fleet.map((known) => ({
    ...known,
    models: Object.fromEntries(
      Object.entries(known.models).map(([model, facts]) => {
        const open = boxes.find(({ plan }) => plan.name === known.name)?.open(model) ?? null;
        return [model, { ...facts, open }];
      }),
    ),
  }));

const recordOf = (box: string, { call, begunMs, firstMs, endMs, loadMs }: Served) => ({
  box,
  model: call.model.name,
  status: "success" as const,
  load_ms: loadMs,
  prefill_ms: firstMs - begunMs,
  decode_ms: endMs - firstMs,
  prompt_tokens: call.promptTokens,
});

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * Plans of a world with several boxes: which box has which models and how fast, and the calls of the
 * keys that share them.
 */
import type { KeyLimits } from "../../../protocol/api/key-limits.ts";
import type { Open } from "../../../protocol/messages.ts";
import { EPOCH_MS, simulatedSealOf } from "../call-plan.ts";
import type { Chance } from "../chance.ts";
import { FAULTS_UNTIL_MS } from "../faults.ts";

export type ModelPlan = {
  /** With its tag. */
  name: string;
  loadMs: number;
  /** Time of a token on a box of speed 1. */
  tokenMs: number;
  tokens: number;
};

export type BoxPlan = {
  name: string;
  slots: number;
  /** The agent has OLLAMA_NUM_PARALLEL; otherwise it has to find out the number of slots. */
  isTold: boolean;
  /** Models that have room in memory at once. */
  room: number;
  /** All times are divided by it. */
  speed: number;
  models: readonly ModelPlan[];
};

export type FleetCallPlan = {
  id: string;
  atMs: number;
  /** The Worker isolate that serves it. */
  isolate: number;
  /** The key of the caller. */
  lane: string;
  /** The name of its model. One that no box has is `nowhere:latest`. */
  model: string;
  tokens: number;
  isStreamed: boolean;
  /** Too large to keep, so it stays on its first box. */
  isHeavy: boolean;
  conversation: string | null;
  /** Counted from the beginning of its wait; null if the caller stays. */
  leavesAfterMs: number | null;
};

export type FleetPlan = {
  models: readonly ModelPlan[];
  boxes: readonly BoxPlan[];
  isolates: number;
  calls: readonly FleetCallPlan[];
  /** The limits of the keys that have some. */
  limits: ReadonlyMap<string, KeyLimits>;
};

/** Milliseconds until the first token of a prompt, on a box of speed 1. */
export const PREFILL_MS = 40;
/** The length of each prompt. */
export const PROMPT_TOKENS = 40;

/** The model that no box has. */
export const NOWHERE_MODEL = "nowhere:latest";

export function fleetPlan(chance: Chance): FleetPlan {
  const models = Array.from({ length: chance.whole(1, 4) }, (_, index) => ({
    name: `model-${index}:latest`,
    loadMs: chance.pick([0, 1_000, 3_000, 8_000]) * chance.between(0.8, 1.2),
    tokenMs: chance.pick([5, 20, 80]),
    tokens: chance.whole(2, 30),
  }));
  const boxes = Array.from({ length: chance.pick([1, 2, 2, 2, 3, 3, 4]) }, (_, index) =>
    boxPlan(chance, index, models),
  );
  const isolates = chance.pick([1, 1, 2, 3]);
  const held = models.filter(({ name }) =>
    boxes.some((box) => box.models.some((model) => model.name === name)),
  );
  const calls = callPlans(chance, held, isolates);
  return { models, boxes, isolates, calls, limits: limitsOfLanes(chance, calls) };
}

const boxPlan = (chance: Chance, index: number, models: readonly ModelPlan[]): BoxPlan => {
  const own = models.filter(() => chance.isLikely(0.7));
  return {
    name: `box-${index}`,
    slots: chance.pick([1, 1, 2, 4]),
    isTold: chance.isLikely(0.7),
    room: chance.isLikely(0.6) ? models.length : chance.whole(1, models.length),
    speed: chance.pick([0.5, 1, 1, 2]),
    models: own.length > 0 ? own : models.slice(0, 1),
  };
};

/** Calls come alone and in bursts: a burst of one key is what a fair queue is for. */
function callPlans(
  chance: Chance,
  models: readonly ModelPlan[],
  isolates: number,
): FleetCallPlan[] {
  const calls: FleetCallPlan[] = [];
  const lanes = Array.from({ length: chance.whole(1, 4) }, (_, index) => `key-${index}`);
  for (let groups = chance.whole(3, 14); groups > 0; groups--) {
    const fromMs = chance.between(0, FAULTS_UNTIL_MS - 5_000);
    const [lane, model] = [chance.pick(lanes), chance.pick(models)];
    const size = chance.isLikely(0.3) ? chance.whole(5, 25) : chance.whole(1, 3);
    for (let n = 0; n < size; n++) {
      const atMs = fromMs + (n === 0 ? 0 : chance.between(0, 2_000));
      const isLeaving = chance.isLikely(0.1);
      calls.push({
        id: chance.id(EPOCH_MS + atMs),
        atMs,
        isolate: chance.whole(0, isolates - 1),
        lane,
        model: chance.isLikely(0.02) ? NOWHERE_MODEL : model.name,
        tokens: Math.max(1, Math.round(model.tokens * chance.between(0.9, 1.1))),
        isStreamed: chance.isLikely(0.7),
        isHeavy: chance.isLikely(0.03),
        conversation: chance.isLikely(0.3) ? `talk-${chance.whole(0, 5)}` : null,
        leavesAfterMs: isLeaving ? chance.between(0, chance.pick([50, 2_000, 20_000])) : null,
      });
    }
  }
  return calls;
}

/** A quarter of the keys has limits, which their bursts exceed. */
function limitsOfLanes(chance: Chance, calls: readonly FleetCallPlan[]): Map<string, KeyLimits> {
  const lanes = [...new Set(calls.map(({ lane }) => lane))];
  const limited = lanes.filter(() => chance.isLikely(0.25));
  return new Map(
    limited.map((lane) => {
      const none = { parallel: null, requests: null, tokens: null, wh: null, money: null };
      const some: Partial<KeyLimits>[] = [
        { parallel: chance.whole(2, 8) },
        { requests: { minute: chance.whole(3, 30) } },
        { tokens: { minute: chance.whole(300, 3_000), month: 1e9 } },
        { wh: { minute: 10 }, money: { minute: 10 } },
      ];
      return [lane, { ...none, ...chance.pick(some), ...chance.pick(some) }];
    }),
  );
}

const encoder = new TextEncoder();

/** Returns the body of a call as its caller sends it. */
export const bodyOfCall = ({ model, isStreamed }: FleetCallPlan): Uint8Array =>
  encoder.encode(JSON.stringify({ model, stream: isStreamed, messages: [] }));

/** Returns OPEN as `serve.ts` fills it in. */
export const openOfCall = (
  { id, atMs, lane, model, isStreamed }: FleetCallPlan,
  { mayMove, mayAsk }: { mayMove: boolean; mayAsk: boolean },
): Open => ({
  method: "POST",
  path: "/api/chat",
  endpoint: "/api/chat",
  api: "ollama",
  headers: [["x-sim", id]],
  model,
  stream: isStreamed,
  started_at: new Date(EPOCH_MS + atMs).toISOString(),
  edge_ms: 1,
  keep_text: false,
  key_id: lane,
  client_ip: null,
  user_agent: null,
  may_move: mayMove || undefined,
  may_ask: (mayAsk && !mayMove) || undefined,
  takes_waiting: isStreamed || undefined,
  seal: simulatedSealOf(id),
});

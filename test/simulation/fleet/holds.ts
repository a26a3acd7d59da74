/**
 * The invariants of a world with several boxes: when a call is placed, and at rest. `docs/testing.md` states
 * their bounds.
 */
import { ATTEMPTS_MAX } from "../../../protocol/limits.ts";
import { movesIn } from "../../../protocol/moves.ts";
import { EXPECTED } from "../../../worker/gateway/choice/estimate.ts";
import { holds } from "../../../worker/gateway/choose.ts";
import { broken } from "../broken.ts";
import type { LedgerRow, SimulatedLedger } from "../ledger.ts";
import { isCompleting } from "./attempt.ts";
import type { FleetCall } from "./call.ts";
import { answerTextOf, type ChatExchange } from "./chat.ts";
import type { Isolate } from "./isolate.ts";
import type { Machine } from "./machine.ts";
import { type BoxPlan, type ModelPlan, PREFILL_MS } from "./plan.ts";

/** A call of a world, and the requests that Ollama has had for it. */
export type KnownCall = {
  call: FleetCall;
  exchanges: ChatExchange[];
  /** The reason for which it may have no record; null if there must be one. */
  excuse: string | null;
};

/** Faults of a box are known to every isolate that has calls within this time. */
export const KNOWN_MS = 10_000;

/** Reasons of a move after which nobody knows whether the box had completed its answer. */
const LOSSES: ReadonlySet<string> = new Set(["agent_restarted", "tunnel_lost"]);

/** The choice may take equal boxes for different ones, and pays for the way to the next one. */
const CHOICE_MS = 200;
/** Times are means of the last requests, and a Box counts requests that are about to end. */
const LEARNED = 0.3;
/** The choice expects a load of this length of a model of the size that all have here. */
const UNKNOWN_LOAD_MS = EXPECTED.loadMs + EXPECTED.loadMsPerGb;

const serviceMsOf = ({ speed }: BoxPlan, { tokenMs, tokens }: ModelPlan): number =>
  (PREFILL_MS + tokenMs * tokens) / speed;

/**
 * A call has been placed on the box that was ranked first: no idle box would have served it sooner, as
 * far as the isolate knows the times of the model there, and that the box is idle.
 * @throws {Broken}
 */
export function checkWait(
  call: FleetCall,
  at: Machine,
  machines: readonly Machine[],
  nowMs: number,
): boolean {
  const model = at.plan.models.find(({ name }) => name === call.plan.model);
  if (model === undefined || call.plan.conversation !== null) return false;
  const waitMs = waitOn(at, model);
  if (waitMs === 0) return false;
  let isChecked = false;
  for (const other of machines) {
    if (other === at || !isKnownIdle(call, other, model, nowMs)) continue;
    if (!isKnown(call, at, model)) continue;
    isChecked = true;
    const here = waitMs + serviceMsOf(at.plan, model);
    const there = waitOn(other, model) + serviceMsOf(other.plan, model);
    const slackMs = CHOICE_MS + LEARNED * (here + there) + serviceMsOf(at.plan, model);
    if (here > there + slackMs)
      broken(
        `${call.plan.id} waits for ${at.plan.name} until ${Math.round(here)} ms, ` +
          `and the idle ${other.plan.name} takes ${Math.round(there)} ms`,
      );
  }
  return isChecked;
}

/** Returns the time until a box begins with a call: for a slot, and for a load. */
function waitOn({ plan, ollama, box }: Machine, model: ModelPlan): number {
  const before = Math.max(0, box.loadOf(model.name).open - plan.slots);
  const waitMs = (before * serviceMsOf(plan, model)) / plan.slots;
  return waitMs + (ollama.isReady(model.name) ? 0 : model.loadMs / plan.speed);
}

/** Returns whether a box has been idle for longer than it takes until every isolate knows. */
function isKnownIdle(call: FleetCall, other: Machine, model: ModelPlan, nowMs: number): boolean {
  const known = call.fleet.find(({ name }) => name === other.plan.name);
  const isIdle = other.idleSinceMs !== null && nowMs - other.idleSinceMs > KNOWN_MS;
  const hasRoom = other.plan.room >= other.plan.models.length;
  return (
    isIdle &&
    hasRoom &&
    nowMs - other.troubledMs > KNOWN_MS &&
    known?.state === "up" &&
    known.is_reachable &&
    holds(known, model.name) &&
    isKnown(call, other, model)
  );
}

/** Returns whether an isolate knows if a model is in memory on a box, and its times there. */
function isKnown(call: FleetCall, { plan, ollama }: Machine, { name, loadMs }: ModelPlan): boolean {
  const known = call.fleet.find((box) => box.name === plan.name);
  if (known?.loaded.includes(name) !== ollama.isReady(name)) return false;
  const times = known.models[name]?.times ?? null;
  if (times === null || times.decode_ms === null) return false;
  // A load that no record shows is expected to take as long as its size suggests.
  return times.load_ms !== null || ollama.isReady(name) || loadMs / plan.speed > UNKNOWN_LOAD_MS;
}

type RestedFleet = {
  machines: readonly Machine[];
  isolates: readonly Isolate[];
  ledger: SimulatedLedger;
  calls: ReadonlyMap<string, KnownCall>;
};

/** At the end. @throws {Broken} */
export function checkFleet({ machines, isolates, ledger, calls }: RestedFleet): void {
  for (const { plan, agent, ollama } of machines) {
    if (agent === null) broken(`the agent of ${plan.name} did not come back`);
    const [stream] = agent.streams.streams;
    if (stream !== undefined) broken(`${stream.id} never ends on ${plan.name}`);
    if (agent.spool.pending > 0)
      broken(`${agent.spool.pending} records of ${plan.name} were never delivered`);
    if (ollama.openExchanges > 0) broken(`an exchange of ${plan.name} that never ends`);
  }
  for (const isolate of isolates)
    if (isolate.open !== 0) broken(`${isolate.open} streams counted as open`);
  const rows = new Map(ledger.rows().map((row) => [row.request_id, row]));
  for (const [id, known] of calls) {
    checkAnswer(known);
    checkOnce(known);
    checkRecord(known, rows.get(id) ?? null, machines);
    checkServed(known, machines);
  }
  for (const id of rows.keys()) if (!calls.has(id)) broken(`a record of an unknown request: ${id}`);
  const counted = ledger.counted();
  for (const status of ["success", "error", "cancelled"] as const) {
    const inLedger = [...rows.values()].filter((row) => row.status === status).length;
    if (counted[status] !== inLedger)
      broken(`${counted[status]} ${status} counted, ${inLedger} in the ledger`);
  }
}

/** A caller gets an answer or an error, and the answer is that of one request to Ollama. */
function checkAnswer({ call, exchanges, excuse }: KnownCall): void {
  const { id, tokens } = call.plan;
  if (!call.isDone) broken(`${id} never ends`);
  if (call.result === "nothing" && excuse === null) broken(`${id}: its caller got nothing`);
  if (call.result !== "whole") return;
  const text = contentIn(call.text);
  const isAnswer = exchanges.some(
    ({ number, isCompleted }) => isCompleted && text === answerTextOf(number, tokens),
  );
  if (!isAnswer) broken(`${id}: its answer is not that of one request: ${text.slice(0, 200)}`);
}

const contentIn = (answer: string): string =>
  answer
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).message.content)
    .join("");

const completedIn = ({ exchanges }: KnownCall): ChatExchange[] =>
  exchanges.filter(({ isCompleted }) => isCompleted);

/** True if more than one box has completed the call. */
export const isAnsweredAgain = (known: KnownCall): boolean => completedIn(known).length > 1;

/**
 * No two boxes work on a call at once, and only one completes it, unless the answer was lost with the
 * tunnel: then the call has left that box for this reason.
 */
function checkOnce(known: KnownCall): void {
  const { call, exchanges } = known;
  const { id } = call.plan;
  const completed = completedIn(known);
  for (const { box, isCutOff } of completed.slice(0, -1)) {
    const move = call.record.moves.find((each) => each.box === box);
    if (!isCutOff || move === undefined || !LOSSES.has(move.reason))
      broken(`${id} was completed ${completed.length} times: ${completed.map((each) => each.box)}`);
  }
  for (const [index, { box, overMs }] of exchanges.entries()) {
    const next = exchanges[index + 1];
    if (next !== undefined && (overMs === null || overMs > next.arrivedMs))
      broken(`${id} was with ${box} and ${next.box} at once`);
  }
  const boxes = new Set(exchanges.map(({ box }) => box));
  if (boxes.size < exchanges.length) broken(`${id} came to a box twice`);
}

/** A call has one record: that of the box whose answer it got, with the boxes that it left. */
function checkRecord(
  { call, excuse }: KnownCall,
  row: LedgerRow | null,
  machines: readonly Machine[],
): void {
  const { id } = call.plan;
  const { result, last } = call;
  const lastBox = last?.box ?? null;
  const { moves, isNoted } = call.record;
  if (row === null && excuse === null) broken(`${id} has no record`);
  if (row === null || excuse !== null) return;
  const at = machines.find(({ plan }) => plan.name === lastBox);
  // A killed agent does not know that its answer arrived.
  const isKilled = at !== undefined && at.killedMs >= call.beganMs;
  if (result === "whole" && row.status !== "success" && !isKilled)
    broken(`${id}: answered whole, recorded as ${row.status}`);
  if (result !== "left" && row.status === "cancelled")
    broken(`${id}: recorded as cancelled, but its caller stayed`);
  if (result !== "whole" && result !== "left" && row.status === "success")
    broken(`${id}: the caller got ${result}, recorded as a success`);
  const isStatusKnown = result !== "left" && !isKilled && (last === null || !isCompleting(last));
  if (isStatusKnown && (call.status === 200) !== (row.http_status === 200))
    broken(`${id}: the caller got a ${call.status}, and the record ${row.http_status}`);
  // Until the note of its moves, the first record is the one that counts.
  if (!isNoted) return;
  if (lastBox !== row.box) broken(`${id}: answered by ${lastBox}, recorded for ${row.box}`);
  const noted = movesIn(row.moved_from).map(({ box }) => box);
  const left = moves.map(({ box }) => box);
  if (String(noted) !== String(left)) broken(`${id}: left ${left}, recorded as ${noted}`);
  const attempts = moves.length + (lastBox === null ? 0 : 1);
  if (moves.length > 0 && row.attempts !== attempts)
    broken(`${id}: on ${attempts} boxes, recorded as ${row.attempts}`);
}

/** No call fails for want of a box, or of a model, that there is. */
function checkServed({ call, excuse }: KnownCall, machines: readonly Machine[]): void {
  const { id, model, isHeavy } = call.plan;
  if (excuse !== null) return;
  const holders = machines.filter(
    ({ plan, ollama }) => plan.models.some(({ name }) => name === model) && !ollama.lost.has(model),
  );
  const known = holders.filter(({ plan }) =>
    call.fleet.some((box) => box.name === plan.name && holds(box, model)),
  );
  const [holder] = known;
  if (call.result === "missing" && holder !== undefined)
    broken(`${id}: 404 for a model that ${holder.plan.name} has`);
  if (call.result !== "failed" && call.result !== "refused") return;
  if (isHeavy || call.isLimited || machines.length > ATTEMPTS_MAX) return;
  for (const { plan } of known) {
    const isUp = call.fleet.find(({ name }) => name === plan.name)?.state === "up";
    if (isUp && call.wellThroughout.has(plan.name))
      broken(`${id} ${result(call)}, although ${plan.name} was well`);
  }
}

const result = ({ result, failure }: FleetCall): string => `${result} (${failure})`;

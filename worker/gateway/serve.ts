/**
 * Serves one call to Ollama, from the caller's request to the answer: chooses a box, opens a stream
 * there, and makes sure that a record exists.
 */

import { withTag } from "../../protocol/inventory.ts";
import { EARLY_STATUS } from "../../protocol/limits.ts";
import { factsOf, type Open } from "../../protocol/messages.ts";
import type { RouteReason } from "../../protocol/route.ts";
import { isRepeatable } from "../../protocol/routes.ts";
import { type FailureReason, GatewayError, wireErrorOf } from "../errors.ts";
import { limitedBody, limitsBodies } from "../keys/body-limits.ts";
import { sealOf } from "../seal.ts";

import { attachAgain } from "./attach.ts";
import { Attempts } from "./attempts.ts";
import type { Release } from "./body-budget.ts";
import { hasNext } from "./call-path.ts";
import { NO_OPENING, type Opening } from "./choice/opening.ts";
import { pulseOf } from "./fleet.ts";
import { KeptBody } from "./kept-body.ts";

import { type Invocation, requestEarly } from "./known-fleet.ts";
import type { CallerKey } from "./known-keys.ts";
import type { OperationBox } from "./operation-box.ts";
import { placeFor, type StreamTo, type Wish } from "./place.ts";
import { CallerSide } from "./stream/caller-side.ts";
import { mayBeginEarly } from "./stream/early-answer.ts";
import { type EdgeOutcome, edgeRecord, ingestSurely } from "./stream/edge-record.ts";
import { EdgeStream } from "./stream/edge-stream.ts";

export type Call = {
  id: string;
  open: Open;
  /** The box that the caller chose; null for the best one. */
  wantedBox: string | null;
  /** Why it is that box; absent if the caller named it. */
  wantedReason?: RouteReason;
  /** When the call was accepted, unix ms. */
  startedMs: number;
  signal: AbortSignal;
  /** The caller's key, if the edge made it; null if only its scopes limit it. */
  key: CallerKey | null;
};

/**
 * The checked body, and the model and stream flag in it. `bytes` is null if the route has no body.
 */
export type CallBody = {
  bytes: Uint8Array | ReadableStream<Uint8Array> | null;
  model: string | null;
  /** The other models that it names: the source of a create, the destination of a copy. */
  otherModels?: readonly string[];
  stream: boolean;
  /** The user that it names; null or absent if it names none. */
  endUser?: string | null;
  /** The box for a call that must not be on any other; null or absent for the best one. */
  place?: OperationBox | null;
  /** Absent if the body has no conversation. */
  opening?: Opening;
  /** Called when the bytes are no longer needed. */
  release?: Release;
};

/** Longest wait of an answer for its record. */
const INGEST_MS = 1_000;

/** Endpoints whose model need not exist before. */
const MAKES_MODELS: ReadonlySet<string> = new Set(["/api/pull", "/api/create"]);

/** No box had the call. */
const NOWHERE = { box: null, reason: null, moves: [] } as const;

/** Handlers of a promise whose outcome somebody else handles. */
const UNHEARD = [() => {}, () => {}] as const;

/**
 * @param bodyOf  reads and checks the body; its refusals are recorded like any other failure
 * @returns the caller's answer: Ollama's, or an error on the way, in the shape of the called API
 * @throws {GatewayError} if no box took the call, which is recorded
 */
export async function serve(
  shell: Invocation,
  call: Call,
  bodyOf: () => Promise<CallBody>,
): Promise<Response> {
  const { env, waitUntil } = shell;
  // Resolves when the record is in the ledger, or after INGEST_MS: an Aggregator that fails must
  // not hold up the answer too. The record is also written if the caller has disconnected.
  const record = async (open: Open, outcome: EdgeOutcome, afterMs = 0) => {
    const ingested = ingestSurely(
      env,
      edgeRecord({ ...call, open }, outcome, Date.now()),
      afterMs,
      outcome.failure?.reason === "agent_restarted",
    );
    waitUntil(ingested);
    if (afterMs === 0) await Promise.race([ingested, scheduler.wait(INGEST_MS)]);
  };
  let { open } = call;
  let body: KeptBody | null = null;
  const caller = new CallerSide(call);
  const fail = async (error: unknown) => {
    body?.drop();
    const failure: FailureReason =
      error instanceof GatewayError ? error.failure : { reason: "internal" };
    const httpStatus = caller.early === null ? wireErrorOf(failure).status : EARLY_STATUS;
    const isCancelled = failure.reason === "caller_left";
    await record(
      open,
      isCancelled
        ? { ...NOWHERE, status: "cancelled", httpStatus, failure: null }
        : { ...NOWHERE, status: "error", httpStatus, failure },
    );
    await caller.endEarly(failure);
  };
  try {
    requestEarly(shell);
    const reading = bodyOf();
    // The runtime drops an invocation whose caller has left, unless something is left to wait for.
    waitUntil(reading.then(...UNHEARD)); // and must not keep the body for the time of the answer
    const { read, clamped } = withinLimits(await reading, open.endpoint, call.key);
    const isChosen = call.wantedBox !== null || read.place != null;
    body = new KeptBody(read, !isChosen && isRepeatable(open.endpoint));
    open = { ...open, ...body.facts, model: body.facts.model ?? open.model };
    if (mayBeginEarly(open)) open = { ...open, takes_waiting: true };
    const named = [...(open.model === null ? [] : [open.model]), ...(read.otherModels ?? [])];
    call.key?.check({ models: named, wantedBox: call.wantedBox });
    const streamTo = streamsOf(shell, { ...call, open }, body, caller);
    const { place: chosen } = read;
    const wanted = chosen == null ? {} : { wantedBox: chosen.box, wantedReason: chosen.reason };
    const wish: Wish = {
      ...call,
      ...wanted,
      ...turnOf(open, read.opening ?? NO_OPENING),
      model: MAKES_MODELS.has(open.endpoint) ? null : open.model,
      named,
      bodyBytes: open.body_bytes ?? null,
      mayMove: body.isKept,
    };
    const placing = placeFor(shell, wish, streamTo);
    waitUntil(placing.then(...UNHEARD)); // the agent may have the request already
    const first = await placing;
    open = first.stream.request;
    if (!hasNext(first.path)) body.settle();
    const attempts = new Attempts(shell, wish, first, { streamTo, caller });
    const settling = attempts.settle();
    const ended = settling.then(async () => {
      body?.settle();
      const { path, stream } = attempts.place;
      const { box, reason } = path.choice;
      const end = await stream.ended;
      body?.drop();
      if (end.by === "agent") return;
      const { moves } = attempts;
      const { status, httpStatus, afterMs } = end;
      const failure = status === "error" ? end.failure : null;
      await record(stream.request, { box, reason, moves, status, httpStatus, failure }, afterMs);
    });
    waitUntil(ended.then(...UNHEARD));
    const answer = await Promise.race([caller.response, settling.then(() => caller.response)]);
    const { path, stream: edge, fleet } = attempts.place;
    const { box, reason } = path.choice;
    // A failure that only the edge knows is recorded before it is answered. Killed in between, the
    // edge would otherwise leave an answer without a record.
    if (caller.early !== null) waitUntil(settling.catch(fail));
    else if (edge.hasEnded) await ended;
    answer.headers.set("x-request-id", call.id);
    answer.headers.set("x-box", box);
    answer.headers.set("x-route-reason", reason);
    if (clamped !== null) answer.headers.set("x-clamped", clamped);
    if (fleet.boxes.some(({ name, simulated }) => name === box && simulated))
      answer.headers.set("x-simulated", "1");
    return answer;
  } catch (error) {
    await fail(error);
    throw error;
  }
}

/** @throws {GatewayError} `field_forbidden` */
function withinLimits(read: CallBody, endpoint: string, key: CallerKey | null) {
  const { bytes } = read;
  if (key === null || !(bytes instanceof Uint8Array) || !limitsBodies(key.policy))
    return { read, clamped: null };
  const limited = limitedBody(key.policy, endpoint, bytes);
  if (!limited.ok) throw new GatewayError(limited.failure);
  return { read: { ...read, bytes: limited.bytes }, clamped: limited.clamped };
}

/** Returns the conversation of a call, which is one of its key and of its model. */
const turnOf = ({ key_id, model }: Open, { hash, numCtx }: Opening) => ({
  conversation:
    hash === null || model === null ? null : `${key_id ?? ""} ${withTag(model)} ${hash}`,
  numCtx,
});

/** Not in {@link serve}, whose closures would keep the body for the time of the answer. */
function streamsOf(
  shell: Invocation,
  { id, open, signal, startedMs, key }: Call,
  body: KeptBody,
  caller: CallerSide,
): StreamTo {
  const again = againTo(shell, id, open.model && withTag(open.model), key);
  return async (
    { box, reason },
    { boxes, sealKey, takesReasons },
    { keepsText, mayMove, mayAsk },
  ) => {
    const keep_text = keepsText && key?.policy.keep_text !== false;
    const yields = mayMove && boxes.some((each) => each.name === box && each.yields_lost);
    const edge_ms = Math.max(0, Date.now() - startedMs);
    const sent: Open = {
      ...open,
      keep_text,
      edge_ms,
      may_move: mayMove || undefined,
      may_ask: (mayAsk && !mayMove) || undefined,
      answer_begun: caller.early !== null || undefined,
    };
    const sealed = takesReasons === true ? reason : null;
    const seal = await sealOf(sealKey, { ...factsOf(id, sent), box }, sealed);
    return new EdgeStream({
      id,
      box,
      open: { ...sent, seal },
      yields,
      body: body.bytes,
      caller,
      signal,
      keyEnd: key?.end ?? null,
      pulse: pulseOf(box),
      attachAgain: again(box),
      onBodySent: () => body.sent(),
    });
  };
}

const againTo =
  (shell: Invocation, id: string, model: string | null, key: CallerKey | null) =>
  (box: string) =>
  () =>
    attachAgain(shell, { box, id, model }, key);

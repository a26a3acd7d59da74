/**
 * Serves one call to Ollama, from the caller's request to the answer: chooses a box, opens a stream
 * there, and makes sure that a record exists.
 */

import { factsOf, type Open } from "../../protocol/messages.ts";
import { boxStubOf } from "../box/stub.ts";
import type { Bindings } from "../env.ts";
import { type FailureReason, GatewayError, wireErrorOf } from "../errors.ts";
import type { RegisteredBox } from "../registered-box.ts";
import { sealOf } from "../seal.ts";
import { inForce, settingsOf } from "../settings.ts";
import { NOTHING_HELD, type Release } from "./body-budget.ts";
import { chooseBoxes } from "./choose.ts";
import { countStream, fleetOf, forgetBoxes, openStreams, pulseOf } from "./fleet.ts";
import { type EdgeOutcome, edgeRecord, ingestSurely } from "./stream/edge-record.ts";
import { EdgeStream } from "./stream/edge-stream.ts";

export type Call = {
  id: string;
  open: Open;
  /** The box that the caller chose; null for the best one. */
  wantedBox: string | null;
  /** When the call was accepted, unix ms. */
  startedMs: number;
  signal: AbortSignal;
};

/** The checked body, and the model and stream flag in it. `bytes` is null if the route has no body. */
export type CallBody = {
  bytes: Uint8Array | ReadableStream<Uint8Array> | null;
  model: string | null;
  stream: boolean;
  /** Called when the bytes are no longer needed. */
  release?: Release;
};

/** Longest wait of an answer for its record. */
const INGEST_MS = 1_000;

/** Failures for which the next box is tried. */
const TRY_NEXT = new Set<FailureReason["reason"]>(["box_down", "box_busy", "box_draining"]);

/**
 * @param bodyOf  reads and checks the body; its refusals are recorded like any other failure
 * @returns the caller's answer: Ollama's, or an error on the way, in the shape of the called API
 * @throws {GatewayError} if no box took the call, which is recorded
 */
export async function serve(
  env: Bindings,
  waitUntil: (promise: Promise<unknown>) => void,
  call: Call,
  bodyOf: () => Promise<CallBody>,
): Promise<Response> {
  // Resolves when the record is in the ledger, or after INGEST_MS: an Aggregator that fails must not
  // hold up the answer too. The record is also written if the caller has disconnected.
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
  let release = NOTHING_HELD;
  try {
    const reading = bodyOf();
    // The runtime drops an invocation whose caller has left, unless something is left to wait for.
    waitUntil(
      reading.then(
        () => {}, // and must not keep the body for the time of the answer
        () => {},
      ),
    );
    const { bytes, model, stream, release: releaseBytes } = await reading;
    release = releaseBytes ?? release;
    open = { ...open, model: model ?? open.model, stream };
    const { boxes, settings, sealKey } = await fleetOf(env);
    open = { ...open, keep_text: inForce(settingsOf(env), settings).logContent === "on" };
    const [box, socket] = await attachToSomeBox(env, boxes, call, open.model);
    const { id, signal } = call;
    open = { ...open, edge_ms: Math.max(0, Date.now() - call.startedMs) };
    open = { ...open, seal: await sealOf(sealKey, { ...factsOf(id, open), box }) };
    const attachAgain = () => attach(env, box, id, true);
    const edge = new EdgeStream(
      { id, signal, open, body: bytes, box, pulse: pulseOf(box), attachAgain, onBodySent: release },
      socket,
    );
    const ended = edge.ended.then(async (end) => {
      release();
      if (end.by === "agent") return;
      const { status, httpStatus, afterMs } = end;
      const failure = status === "error" ? end.failure : null;
      await record(open, { box, status, httpStatus, failure }, afterMs);
    });
    countStream(box, edge.ended);
    waitUntil(ended);
    waitUntil(edge.done);
    const answer = await edge.response;
    // A failure that only the edge knows is recorded before it is answered. Killed in between, the
    // edge would otherwise leave an answer without a record.
    if (edge.hasEnded) await ended;
    answer.headers.set("x-request-id", call.id);
    answer.headers.set("x-box", box);
    if (boxes.some(({ name, hello }) => name === box && hello.simulated))
      answer.headers.set("x-simulated", "1");
    return answer;
  } catch (error) {
    release();
    const failure: FailureReason =
      error instanceof GatewayError ? error.failure : { reason: "internal" };
    const httpStatus = wireErrorOf(failure).status;
    const isCancelled = failure.reason === "caller_left";
    await record(
      open,
      isCancelled
        ? { box: null, status: "cancelled", httpStatus, failure: null }
        : { box: null, status: "error", httpStatus, failure },
    );
    throw error;
  }
}

async function attachToSomeBox(
  env: Bindings,
  boxes: RegisteredBox[],
  call: Call,
  model: string | null,
): Promise<[string, WebSocket]> {
  if (call.wantedBox !== null && !boxes.some(({ name }) => name === call.wantedBox))
    throw new GatewayError({ reason: "box_unknown", box: call.wantedBox });
  const names =
    call.wantedBox !== null
      ? [call.wantedBox]
      : chooseBoxes(boxes, model, openStreams, Math.random, Date.now());
  let last: GatewayError | null = null;
  for (const name of names) {
    try {
      return [name, await attach(env, name, call.id, false)];
    } catch (error) {
      if (!(error instanceof GatewayError) || !TRY_NEXT.has(error.failure.reason)) throw error;
      forgetBoxes();
      last = error;
    }
  }
  throw last ?? new GatewayError({ reason: "no_box" });
}

async function attach(
  env: Bindings,
  box: string,
  id: string,
  isResume: boolean,
): Promise<WebSocket> {
  const url = `https://box/attach?box=${encodeURIComponent(box)}&stream=${id}${isResume ? "&resume=1" : ""}`;
  // A Box that is being restarted or moved throws. The next box may serve the call.
  const answer = await boxStubOf(env, box)
    .fetch(url, { headers: { upgrade: "websocket" } })
    .catch((error: unknown) => {
      throw new GatewayError({ reason: "box_down", box }, { cause: error });
    });
  if (answer.webSocket !== null) return answer.webSocket;
  const { error } = await answer.json<{ error?: { code?: string } }>();
  const reason =
    error?.code === "box_draining" || error?.code === "box_busy" ? error.code : "box_down";
  throw new GatewayError({ reason, box });
}

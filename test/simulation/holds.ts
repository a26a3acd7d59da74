/** The invariants of a world: at each step, while its agent is away, and at rest. */
import type { StreamTable } from "../../agent/tunnel/stream-table.ts";
import { STREAMS_PER_BOX_MAX, WINDOW_BYTES } from "../../protocol/limits.ts";
import type { Pulse } from "../../worker/gateway/stream/pulse.ts";
import type { AgentProcess } from "./agent.ts";
import { broken } from "./broken.ts";
import { CHUNK_BYTES_MAX } from "./call-plan.ts";
import type { Chronicle } from "./chronicle.ts";
import type { Known } from "./known.ts";
import type { SimulatedLedger } from "./ledger.ts";
import type { SimulatedOllama } from "./ollama.ts";

/**
 * Time in which a call whose caller left stops Ollama, once the agent can be reached and nothing
 * happens to it.
 */
const CANCEL_MS = 1_000;

type RestedWorld = {
  agent: AgentProcess;
  ollama: SimulatedOllama;
  ledger: SimulatedLedger;
  pulse: Pulse;
  known: ReadonlyMap<string, Known>;
  chronicle: Chronicle;
};

/** At each step. @throws {Broken} */
export function checkMemory(streams: StreamTable): void {
  if (streams.size > STREAMS_PER_BOX_MAX) broken("more streams than a box may have");
  for (const stream of streams.streams) {
    // One chunk of Ollama may exceed the window, because it was already read.
    if (stream.keptBytes > WINDOW_BYTES + CHUNK_BYTES_MAX)
      broken(`the agent keeps ${stream.keptBytes} bytes of ${stream.id}`);
  }
}

/**
 * While the agent is away for longer than the grace period: every stream must be over, except those
 * whose slow caller is still taking what it was given.
 * @throws {Broken}
 */
export function checkGaveUp(known: ReadonlyMap<string, Known>, sinceMs: number): void {
  for (const [id, { call, plan }] of known) {
    if (
      call !== null &&
      !call.isDone &&
      call.ended === null &&
      call.beganMs < sinceMs &&
      plan.msPerKilobyte < 1
    )
      broken(`${id} waits for an agent that has been away since ${sinceMs}`);
  }
}

/** At the end. @throws {Broken} */
export function checkEnd({ agent, ollama, ledger, pulse, known, chronicle }: RestedWorld): void {
  if (agent.streams.size > 0)
    broken(`a stream that never ends: ${[...agent.streams.streams].map(({ id }) => id)}`);
  if (agent.spool.pending > 0) broken(`${agent.spool.pending} records that were never delivered`);
  if (pulse.open !== 0) broken(`${pulse.open} streams counted as open`);
  for (const exchange of ollama.exchanges)
    if (exchange.isOpen) broken(`an exchange that never ends: ${exchange.number}`);
  const rows = new Map(ledger.rows().map((row) => [row.request_id, row]));
  for (const [id, one] of known) checkCall(id, one, rows.get(id)?.status ?? null, chronicle);
  for (const [id, { call }] of known) {
    // The edge completes the record of an agent that was killed, which is left out here.
    const isKilled = call?.ended?.by === "edge" && call.ended.afterMs > 0;
    const status = rows.get(id)?.http_status ?? 200;
    if (call !== null && call.keepalives > 0 && status !== 200 && !isKilled)
      broken(`${id}: its caller got a 200, and the record ${status}`);
  }
  for (const id of rows.keys()) if (!known.has(id)) broken(`a record of an unknown request: ${id}`);
  const counted = ledger.counted();
  for (const status of ["success", "error", "cancelled"] as const) {
    const inLedger = [...rows.values()].filter((row) => row.status === status).length;
    if (counted[status] !== inLedger)
      broken(`${counted[status]} ${status} counted, ${inLedger} in the ledger`);
  }
}

function checkCall(
  id: string,
  { call, exchanges, excuse, plan }: Known,
  status: string | null,
  chronicle: Chronicle,
): void {
  if (call !== null && !call.isDone) broken(`${id} never ends`);
  if (status === null && excuse === null) broken(`${id} has no record`);
  if (call === null) return;
  if (call.result === "nothing" && excuse === null) broken(`${id}: its caller got nothing`);
  if (
    call.result === "whole" &&
    status !== "success" &&
    // Simulated bytes are no chat, so the agent reports an error of Ollama.
    (status !== "error" || plan.open.endpoint !== "/api/chat") &&
    excuse === null &&
    exchanges.length < 2 &&
    !chronicle.killsMs.some((atMs) => atMs >= call.beganMs)
  )
    broken(`${id}: answered whole, recorded as ${status}`);
  if (call.result !== "left" && status === "cancelled" && excuse === null)
    broken(`${id}: recorded as cancelled, but its caller stayed`);
  if (exchanges.length > 1 && excuse === null)
    broken(`${id}: ${exchanges.length} requests to Ollama`);
  for (const exchange of exchanges) {
    if (call.leftMs !== null && (excuse === null || !excuse.startsWith("the Worker"))) {
      // The ABORT may be lost on a link that swallows. Then nobody resumes the stream when the
      // agent is back.
      const dueMs = Math.max(
        chronicle.reachableMs(call.leftMs, CANCEL_MS) + CANCEL_MS,
        chronicle.swallowedMs(call.leftMs),
      );
      if (exchange.overMs === null || exchange.overMs > dueMs)
        broken(
          `${id}: left at ${call.leftMs}, its exchange over at ${exchange.overMs}, due at ${dueMs}`,
        );
    }
    const body = Buffer.concat(exchange.body);
    if (exchange.hasEnded && exchange.hasBodyEnded && !body.equals(plan.body ?? new Uint8Array(0)))
      broken(`${id}: Ollama got a different body`);
  }
}

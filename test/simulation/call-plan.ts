/**
 * Plans of calls in a simulated world, and of Ollama's answers: sizes, paces, uploads, callers that
 * leave.
 */
import type { Open } from "../../protocol/messages.ts";
import type { CallPlan } from "./caller.ts";
import type { Chance } from "./chance.ts";
import type { AnswerPlan } from "./ollama.ts";

/** Unix ms at which every world begins, on the edge's clock. */
export const EPOCH_MS = Date.parse("2026-08-01T00:00:00.000Z");

/** Largest chunk of an answer of Ollama. */
export const CHUNK_BYTES_MAX = 64 * 1024;

/** Stands for a seal, which is made by asynchronous code. */
export const simulatedSealOf = (id: string): string => `simulated.${id}`;

export function callPlan(chance: Chance, atMs: number): CallPlan {
  const id = chance.id(EPOCH_MS + atMs);
  const kind = chance.pick(["json", "json", "json", "tags", "blob"] as const);
  const isLarge = chance.isLikely(0.1);
  const bytes = chance.isLikely(0.05)
    ? 0
    : isLarge
      ? chance.whole(100_000, 1_500_000)
      : chance.whole(1, 20_000);
  const answer: AnswerPlan = {
    status: 200,
    type: chance.pick(["application/x-ndjson", "text/event-stream", "application/json"]),
    bytes,
    saysLength: chance.isLikely(0.2),
    waitMs: chance.isLikely(0.2) ? chance.between(1_000, 20_000) : chance.between(0, 300),
    gapMs: chance.pick([0, 5, 20, 200]),
    chunkBytes: isLarge ? CHUNK_BYTES_MAX : chance.pick([100, 1_000, 10_000]),
    breaksAfter: chance.isLikely(0.08) ? chance.whole(0, bytes) : null,
  };
  const common = {
    headers: [["x-sim", id] as [string, string]],
    api: "ollama" as const,
    model: "m",
    started_at: new Date(EPOCH_MS + atMs).toISOString(),
    edge_ms: 4,
    keep_text: false,
    key_id: null,
    client_ip: null,
    user_agent: null,
    seal: simulatedSealOf(id),
  };
  const isChat = answer.type === "application/x-ndjson" && chance.isLikely(0.5);
  // Longer than the wait after which an answer begins early.
  if (isChat && chance.isLikely(0.2)) answer.waitMs = chance.between(10_000, 30_000);
  const chat = { path: "/api/chat", endpoint: "/api/chat", stream: true, takes_waiting: true };
  const open: Open =
    kind === "json" && isChat
      ? { ...common, method: "POST", ...chat }
      : kind === "json"
        ? { ...common, method: "POST", path: "/api/show", endpoint: "/api/show", stream: true }
        : kind === "tags"
          ? { ...common, method: "GET", path: "/api/tags", endpoint: "/api/tags", stream: false }
          : {
              ...common,
              method: "POST",
              path: `/api/blobs/sha256:${"0".repeat(64)}`,
              endpoint: "/api/blobs/:digest",
              stream: false,
            };
  const bodyBytes =
    kind === "tags"
      ? 0
      : kind === "blob"
        ? chance.whole(0, 800_000)
        : chance.whole(2, chance.isLikely(0.2) ? 600_000 : 2_000);
  return {
    id,
    open,
    body: kind === "tags" ? null : new Uint8Array(bodyBytes).fill(chance.whole(0, 255)),
    streamsBody: kind === "blob",
    answer,
    msPerKilobyte: chance.isLikely(0.2) ? chance.between(1, isLarge ? 20 : 200) : 0.01,
    leavesAfterMs: chance.isLikely(0.2) ? chance.between(0, chance.pick([5, 500, 20_000])) : null,
  };
}

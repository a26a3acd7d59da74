/** The calls with which a box joins an edge and leaves it. */
import type { KeyObject } from "node:crypto";
import * as z from "zod";
import { Joined, type JoinRequest, proofText } from "../../protocol/joining.ts";
import { JoinError } from "../errors.ts";
import { type BoxMembership, publicKeyOf, signatureOf } from "./membership.ts";

const ANSWER_MS = 20_000;

/**
 * Exchanges a code for a certificate.
 * @throws {JoinError} with the edge's reason
 */
export async function joinEdge(
  edge: URL,
  { code, box, key }: { code: string; box: string; key: KeyObject },
): Promise<Joined> {
  const nowMs = Date.now();
  const request: JoinRequest = {
    code,
    box,
    public_key: publicKeyOf(key),
    now_ms: nowMs,
    signature: signatureOf(key, proofText("join", edge.host, box, code, nowMs)),
  };
  const answer = await post(new URL("/agent/join", edge), JSON.stringify(request), {
    "content-type": "application/json",
  });
  const joined = Joined.safeParse(answer);
  if (joined.success) return joined.data;
  throw new JoinError(`${edge.origin} does not answer like an edge. Compare the address.`);
}

/** @throws {JoinError} with the edge's reason */
export async function leaveEdge(membership: BoxMembership): Promise<void> {
  const { edge, box } = membership;
  const authorization = membership.authorization("leave", edge.host, Date.now());
  const url = new URL(`/agent/leave?box=${encodeURIComponent(box)}`, edge);
  await post(url, "", { authorization });
}

const Refusal = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

async function post(url: URL, body: string, headers: Record<string, string>): Promise<unknown> {
  let text: string;
  let status: number;
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await fetch(url, { method: "POST", body, headers, redirect: "error", signal });
    [text, status] = [await answer.text(), answer.status];
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    const why = cause instanceof Error ? cause.message : (error as Error).message;
    throw new JoinError(`${url.origin} cannot be reached (${why}). Compare the address.`);
  }
  const value = jsonOf(text);
  const refusal = Refusal.safeParse(value);
  if (refusal.success) throw new JoinError(refusal.data.error.message, refusal.data.error.code);
  if (status === 200) return value;
  throw new JoinError(
    `${url.origin} answered HTTP ${status}. It is not an edge, or an older one that boxes cannot join.`,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

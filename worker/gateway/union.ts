/**
 * Answers Ollama's lists for several boxes at once.
 *
 * The Aggregator has the newest list of each box, so the answer costs one round trip to it, and it is
 * as fast for ten boxes as for two. It also records the call. One box, or a box that the caller named,
 * answers itself.
 */

import type { Fleet } from "../aggregator/fleet.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { boxesMin, isListed, isUnion } from "../answers/union.ts";
import { GatewayError } from "../errors.ts";
import type { Principal } from "../principal.ts";
import { canServe } from "./choose.ts";
import { REFRESH_MS } from "./known-boxes.ts";
import { fleetFor, type Invocation } from "./known-fleet.ts";
import type { Call } from "./serve.ts";
import { edgeRecord } from "./stream/edge-record.ts";

/** A later answer is not worth the wait: one box answers alone. Its record is then the second. */
const UNION_MS = 1_000;

/** @returns null if a box has to answer the call */
export async function unionAnswer(
  shell: Invocation,
  call: Call,
  principal: Principal,
): Promise<Response | null> {
  const { open, startedMs, wantedBox, id, key } = call;
  const limits = { models: key?.policy.models ?? null, boxes: key?.policy.boxes ?? null };
  const isLimited = boxesMin(limits) === 1;
  const mayRead = principal.scopes.has("infer");
  if (!mayRead || !isUnion(open.endpoint) || (wantedBox !== null && !isLimited)) return null;
  key?.check({ models: [], wantedBox });
  const fleet = await fleetFor(shell, startedMs, isEnough).catch(() => null);
  const listed = fleet?.boxes.filter((box) => isListed(box, startedMs)) ?? [];
  if (listed.length < 2 && !isLimited) return null;
  const outcome = {
    box: null,
    status: "success",
    httpStatus: 200,
    failure: null,
    reason: null,
    moves: [],
  } as const;
  const record = edgeRecord(call, outcome, Date.now());
  const seen = { ...limits, boxes: wantedBox === null ? limits.boxes : [wantedBox] };
  const knownKeys = key?.attached.version ?? null;
  const listing = aggregatorOf(shell.env).list({ record, limits: seen, knownKeys });
  shell.waitUntil(listing.then(...UNHEARD));
  const union = await Promise.race([
    listing.catch(() => null),
    scheduler.wait(UNION_MS).then(() => null),
  ]);
  if (union === "keys_changed") {
    await key?.renew(shell);
    return unionAnswer(shell, call, principal);
  }
  // One box would answer with all of its models.
  if (union === null && isLimited) throw new GatewayError({ reason: "no_box" });
  if (union === null) return null;
  const headers = new Headers({
    "content-type": union.contentType,
    "content-length": String(new TextEncoder().encode(union.body).length),
    "x-request-id": id,
    "x-box": union.boxes.join(", "),
    "x-route-reason": "union",
  });
  if (union.isSimulated) headers.set("x-simulated", "1");
  return new Response(open.method === "HEAD" ? null : union.body, { headers });
}

const UNHEARD = [() => {}, () => {}] as const;

/**
 * The list itself is new, so it matters only whether there are several boxes. A single known box may
 * have got company since, and nothing else would show that to somebody who only lists.
 */
const isEnough = ({ boxes }: Fleet, ageMs: number): boolean =>
  boxes.length > 1 || (ageMs < REFRESH_MS && canServe(boxes, null, null, ageMs));

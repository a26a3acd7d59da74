/**
 * Answers that only the edge can record: their records are in the ledger before the caller has
 * them.
 */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { FrameType, jsonBytes, streamFrame } from "../../protocol/frames.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import type { Bindings } from "../../worker/env.ts";
import { GatewayError } from "../../worker/errors.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { type CallBody, serve } from "../../worker/gateway/serve.ts";
import { FakeAgent } from "./fake-agent.ts";
import { callOf } from "./held-trips.ts";

/** An Aggregator that takes a record only once the test allows it. */
function slowAggregator() {
  const offered: RequestRecord[] = [];
  const allowed = Promise.withResolvers<{ counted: number }>();
  const ingest = (records: RequestRecord[]) => {
    offered.push(...records);
    return allowed.promise;
  };
  const getByName = () => ({ ingest, fleet: () => aggregatorOf(env).fleet() });
  return { env: { ...env, AGGREGATOR: { getByName } } as unknown as Bindings, offered, allowed };
}

const callTo = (wantedBox: string | null) =>
  callOf(wantedBox, newRequestId(Date.now()), Date.now());

const BODY: CallBody = { bytes: new TextEncoder().encode("{}"), model: "m", stream: true };
const untilOffered = async (offered: readonly RequestRecord[]) => {
  while (offered.length === 0) await scheduler.wait(5);
};

/** Returns whether a promise is still pending after a moment. */
const isPending = (promise: Promise<unknown>) =>
  Promise.race([
    promise.then(
      () => false,
      () => false,
    ),
    scheduler.wait(30).then(() => true),
  ]);

test("has a refusal without a box wait for its record, even if the Aggregator fails", async () => {
  for (const settle of ["resolve", "reject"] as const) {
    const { env: slow, offered, allowed } = slowAggregator();
    const refusal = new GatewayError({ reason: "bad_request", detail: "no." });
    const answer = serve({ env: slow, waitUntil: () => {} }, callTo(null), () =>
      Promise.reject(refusal),
    );
    answer.catch(() => {});
    await untilOffered(offered);
    expect(await isPending(answer)).toBe(true);
    if (settle === "resolve") allowed.resolve({ counted: 1 });
    else allowed.reject(new Error("out of order"));
    await expect(answer).rejects.toBe(refusal);
    expect(offered[0]).toMatchObject({ status: "error", http_status: 400 });
    // A record that failed is offered again after the answer; its request id counts once.
    expect(offered.length > 1).toBe(settle === "reject");
    expect(new Set(offered.map(({ request_id }) => request_id)).size).toBe(1);
  }
});

test("has the error of a box that refused the call wait for its record", async () => {
  const agent = await FakeAgent.connect("unwilling");
  forgetBoxes();
  const { env: slow, offered, allowed } = slowAggregator();
  const answer = serve({ env: slow, waitUntil: () => {} }, callTo("unwilling"), () =>
    Promise.resolve(BODY),
  );
  const { stream } = await agent.next(FrameType.open);
  agent.send(
    streamFrame(FrameType.abort, stream, 0, jsonBytes({ code: "draining", message: "not now" })),
  );
  await untilOffered(offered);
  expect(await isPending(answer)).toBe(true);
  allowed.resolve({ counted: 1 });
  expect((await answer).status).toBe(503);
  expect(offered).toMatchObject([{ request_id: stream, box: "unwilling", http_status: 503 }]);
});

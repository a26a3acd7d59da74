/**
 * The round trips that a call waits for before its first byte: from the Worker to an object and
 * back. On Cloudflare each takes a few to a hundred milliseconds.
 */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { FrameType } from "../../protocol/frames.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import type { Bindings } from "../../worker/env.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { serve } from "../../worker/gateway/serve.ts";
import { FakeAgent } from "./fake-agent.ts";
import { callOf, HeldTrips } from "./held-trips.ts";

const BODY = { bytes: new TextEncoder().encode("{}"), model: "m", stream: true };

/** Serves a call that began this long after now. Returns its round trips. */
async function tripsOf(
  agent: FakeAgent,
  box: string,
  laterMs: number,
  bodyOf = async (_trips: HeldTrips) => BODY,
): Promise<string[][]> {
  const trips = new HeldTrips(env as Bindings);
  const call = callOf(box, newRequestId(Date.now()), Date.now() + laterMs);
  const shell = { env: trips.env, waitUntil: () => {} };
  const answer = serve(shell, call, () => bodyOf(trips));
  const opened = agent.next(FrameType.open).then(({ stream }) => {
    agent.answer(stream, 200, [["content-type", "application/json"]], "{}");
  });
  const rounds = await trips.until(answer.then(({ status }) => expect(status).toBe(200)));
  await opened;
  return rounds;
}

test("a call waits for one round trip, warm and after idle seconds", async () => {
  const agent = await FakeAgent.connect("near");
  forgetBoxes();
  await tripsOf(agent, "near", 0);
  expect(await tripsOf(agent, "near", 0)).toEqual([["box.fetch"]]);
  const beside = ["aggregator.fleet", "box.fetch"];
  expect(await tripsOf(agent, "near", 30_000)).toEqual([beside]);
});

test("the first call of an isolate requests the fleet while its body arrives", async () => {
  const agent = await FakeAgent.connect("first");
  forgetBoxes();
  const trips = await tripsOf(agent, "first", 0, async (held) => {
    await held.untilHeld("aggregator.fleet");
    return BODY;
  });
  expect(trips).toEqual([["aggregator.fleet"], ["box.fetch"]]);
});

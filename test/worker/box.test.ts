/** What only the platform's sockets show of a Box. */
import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import { FrameType, tunnelFrame } from "../../protocol/frames.ts";
import { theAggregator } from "../../worker/aggregator-stub.ts";
import type { Box } from "../../worker/box.ts";
import { forgetBoxes } from "../../worker/relay/fleet.ts";
import { recordOf } from "../support/records.ts";
import { FakeAgent } from "./fake-agent.ts";

const chat = (box: string) =>
  exports.default.fetch("http://localhost/ollama/api/chat", {
    method: "POST",
    headers: { "x-box": box },
    body: JSON.stringify({ model: "m:1b", messages: [] }),
  });

const agentSockets = (box: string) => runInDurableObject(env.BOX.getByName(box), (_box: Box, state) => state.getWebSockets("agent").length);

test("what a replaced agent goes on saying reaches no caller and no ledger", async () => {
  const id = crypto.randomUUID();
  const old = await FakeAgent.connect("replaced", id, {}, { allowHalfOpen: true });
  forgetBoxes();
  const answered = chat("replaced");
  const { stream } = await old.next(FrameType.open);
  const current = await FakeAgent.connect("replaced", id);
  await current.next(FrameType.resume);
  expect((await old.untilClosed()).code).toBe(4000);

  const record = recordOf(Date.now(), { box: "replaced" });
  old.answer(stream, 200, [["content-type", "text/plain"]], "of the old one");
  old.send(tunnelFrame(FrameType.records, { position: 1, records: [record] }));
  old.send(tunnelFrame(FrameType.drain));
  old.socket.close(1000);
  // Closed in full: all that it said was heard.
  await expect.poll(() => agentSockets("replaced")).toBe(1);

  expect(await env.BOX.getByName("replaced").look()).toMatchObject({ isUp: true, isDraining: false });
  current.answer(stream, 200, [["content-type", "text/plain"]], "of the new one");
  expect(await (await answered).text()).toBe("of the new one");
  const { logs } = await theAggregator(env).logs({ limit: 1000, offset: 0 });
  expect(logs.map((entry) => entry.id)).not.toContain(record.request_id);
  expect(old.frames.filter(({ type }) => type === FrameType.recorded)).toEqual([]);
});

/** The model that `/api/chat` uses if a call names none. */
import { env, exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import { FrameType } from "../../protocol/frames.ts";
import { Open } from "../../protocol/messages.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { readingsOf } from "../support/records.ts";
import { FakeAgent } from "./fake-agent.ts";

test("never chooses an embedding model for a chat, even if it is in memory and first on disk", async () => {
  const agent = await FakeAgent.connect("atlas");
  const readings = readingsOf(
    Date.now(),
    ["nomic-embed-text:latest", "llama3.2:latest"],
    [],
    ["nomic-embed-text:latest"],
  );
  const [embedder] = readings.inventory.models;
  if (embedder !== undefined) embedder.family = "nomic-bert";
  await aggregatorOf(env).read("atlas", readings);
  const answer = exports.default.fetch("http://localhost/api/chat", {
    method: "POST",
    body: '{"prompt":"Hello"}',
  });
  const { stream, payload } = await agent.next(FrameType.open);
  expect(Open.parse(JSON.parse(new TextDecoder().decode(payload))).model).toBe("llama3.2:latest");
  agent.answer(
    stream,
    200,
    [["content-type", "application/x-ndjson"]],
    '{"message":{"content":"Hi"},"done":true}\n',
  );
  await (await answer).arrayBuffer();
});

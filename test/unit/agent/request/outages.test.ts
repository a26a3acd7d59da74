/** An agent whose Ollama is away for moments that no poll has noticed. */
import { createServer, type Server } from "node:http";
import { expect, test } from "vitest";
import { OLLAMA_BACK_MS } from "../../../../agent/request/patience.ts";
import { FrameType } from "../../../../protocol/frames.ts";
import type { Open } from "../../../../protocol/messages.ts";
import { newRequestId } from "../../../../protocol/request-id.ts";
import { FakeEdge } from "../../../support/fake-edge.ts";
import { eventually } from "../../../support/stack.ts";

const ANSWERS: Record<string, string> = {
  "/api/version": '{"version":"0.1.0"}',
  "/api/tags": '{"models":[{"name":"m:latest","size":1,"digest":"0"}]}',
  "/api/ps": '{"models":[]}',
};
const ENDS: ReadonlySet<FrameType> = new Set([FrameType.head, FrameType.abort]);

/** An Ollama that answers polls and chats, and can be away. */
class Outages implements AsyncDisposable {
  port = 0;
  polls = 0;
  #server: Server | null = null;

  async back(): Promise<void> {
    const server = createServer(({ url }, response) => {
      if (url === "/api/ps") this.polls++;
      response.setHeader("content-type", "application/json");
      response.end(ANSWERS[url ?? ""] ?? "{}");
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
    const address = server.address();
    if (typeof address === "object" && address !== null) this.port = address.port;
  }

  async away(): Promise<void> {
    const server = this.#server;
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.away();
  }
}

test("a request waits for an Ollama that was away earlier too, and has answered polls since", async () => {
  await using ollama = new Outages();
  await ollama.back();
  await using edge = await FakeEdge.start(`http://127.0.0.1:${ollama.port}`);
  await eventually(async () => edge.readings.some(({ inventory }) => inventory.reachable));
  await ollama.away();
  expect(await endOfCall(edge, { may_move: true })).toBe(FrameType.abort);
  const awayMs = performance.now();
  await ollama.back();
  const { polls } = ollama;
  await eventually(
    async () => ollama.polls > polls + 1 && performance.now() - awayMs > OLLAMA_BACK_MS,
  );
  await ollama.away();
  expect(await endOfCall(edge, {}, () => ollama.back())).toBe(FrameType.head);
});

test("a request whose model has to be looked up waits for an Ollama that restarts too", async () => {
  await using ollama = new Outages();
  await ollama.back();
  await using edge = await FakeEdge.start(`http://127.0.0.1:${ollama.port}`);
  await eventually(async () => edge.readings.some(({ inventory }) => inventory.reachable));
  await ollama.away();
  const lookedUp = { model: "unlisted:latest" };
  expect(await endOfCall(edge, { ...lookedUp, may_move: true })).toBe(FrameType.abort);
  expect(await endOfCall(edge, lookedUp, () => ollama.back())).toBe(FrameType.head);
});

/** Opens a request. @param back  runs once its connection to Ollama was refused */
async function endOfCall(edge: FakeEdge, open: Partial<Open>, back?: () => Promise<void>) {
  const id = newRequestId(Date.now());
  edge.open(id, open);
  if (back !== undefined) {
    for (let n = 0; n < 2; n++) await edge.nextPing(); // it was refused by now
    await back();
  }
  const end = await eventually(async () =>
    edge.frames.find((frame) => frame.stream === id && ENDS.has(frame.type)),
  );
  return end.type;
}

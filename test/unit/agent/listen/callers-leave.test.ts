/** Callers of the listener that disconnect at any point: Ollama stops, and their calls are cancelled. */
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { eventually } from "../../../support/stack.ts";
import { listenForAll, listening, MODEL, messages, simulated } from "./scene.ts";

listenForAll();

test("stops Ollama when a caller disconnects in the middle, and records cancelled, not an error", async () => {
  const seen = simulated.requests().length;
  const leaving = new AbortController();
  const answer = await fetch(`${listening.url}/api/chat`, {
    method: "POST",
    body: JSON.stringify({ model: MODEL, messages, options: { num_predict: 100_000 } }),
    signal: leaving.signal,
  });
  await answer.body?.getReader().read();
  expect(listening.listener.inFlight).toBe(1);
  expect(listening.listener.queued).toBe(0);
  leaving.abort();
  await eventually(
    async () =>
      simulated
        .requests()
        .slice(seen)
        .find(({ path }) => path === "/api/chat")?.aborted,
  );
  expect(await listening.recordOf(answer)).toMatchObject({
    status: "cancelled",
    failed_at: null,
    http_status: 200,
  });
  expect(listening.listener.inFlight).toBe(0);
});

test("stops Ollama when a caller disconnects before the first token", async () => {
  simulated.fault([{ kind: "hang" }]);
  const seen = simulated.requests().length;
  const known = listening.records().length;
  const leaving = httpRequest(`${listening.url}/api/generate`, { method: "POST", agent: false });
  leaving.on("error", () => {});
  leaving.end(JSON.stringify({ model: MODEL, prompt: "x" }));
  await eventually(async () => simulated.requests().length > seen);
  expect(listening.listener.queued).toBe(1);
  leaving.destroy();
  await eventually(async () => simulated.requests()[seen]?.aborted);
  simulated.fault([]);
  await eventually(async () => listening.records().length === known + 1);
  expect(listening.records().at(-1)).toMatchObject({
    status: "cancelled",
    http_status: 499,
    model: MODEL,
  });
});

test("cancels each of twenty pipelined calls when their caller disconnects", async () => {
  simulated.fault([{ kind: "hang" }]);
  const known = listening.records().length;
  const socket = connect(Number(new URL(listening.url).port), "127.0.0.1");
  const body = JSON.stringify({ model: MODEL, prompt: "x" });
  const call = `POST /api/generate HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  socket.write(call.repeat(20));
  await eventually(async () => listening.listener.inFlight === 20);
  socket.destroy();
  await eventually(async () => listening.records().length === known + 20);
  simulated.fault([]);
  expect(listening.listener.inFlight).toBe(0);
  expect(
    new Set(
      listening
        .records()
        .slice(known)
        .map(({ status }) => status),
    ),
  ).toEqual(new Set(["cancelled"]));
});

test("cancels a call whose caller disconnects in the middle of its body, without calling Ollama", async () => {
  // No other test here calls this path: calls of the tests before may still arrive at Ollama.
  const path = "/api/embed";
  const known = listening.records().length;
  const leaving = httpRequest(listening.url + path, {
    method: "POST",
    agent: false,
    headers: { "content-length": 100 },
  });
  leaving.on("error", () => {});
  leaving.write('{"model":');
  await eventually(async () => listening.listener.inFlight === 1);
  leaving.destroy();
  await eventually(async () => listening.records().length === known + 1);
  expect(listening.records().at(-1)).toMatchObject({
    status: "cancelled",
    http_status: 499,
    model: null,
  });
  expect(simulated.requests().filter((request) => request.path === path)).toEqual([]);
});

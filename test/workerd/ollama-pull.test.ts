/** `POST /api/ollama/pull` in the real runtime, with scripted boxes. */
import { expect, test } from "vitest";
import { InstalledModels, PullDone, PullEvent } from "../../protocol/api/ollama.ts";
import { FrameType, jsonBytes } from "../../protocol/frames.ts";
import { pullEvents } from "../../worker/models/pull.ts";
import { textOf } from "./calls.ts";
import { FakeBox, SUCCESS } from "./fake-box.ts";
import { callOllamaApi as call, errorOf } from "./ollama-calls.ts";

const eventsOf = (text: string): unknown[] =>
  [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json ?? ""));

test("ends a pull to one box when the box has reported the model, under the caller's request id", async () => {
  await using box = await FakeBox.connect("pull-one", []);
  const answered = call("POST", `pull?box=${box.name}`, {
    model: "hf.co/user/model:Q4_K_M",
    insecure: true,
  });
  const { open, stream, body } = await box.next();
  expect(open).toMatchObject({
    method: "POST",
    path: "/api/pull",
    endpoint: "/api/pull",
    model: "hf.co/user/model:Q4_K_M",
    stream: true,
  });
  expect(open.headers).toEqual([["content-type", "application/json"]]);
  expect(body).toEqual({ model: "hf.co/user/model:Q4_K_M", insecure: true, stream: true });
  box.agent.answer(stream, 200, [["content-type", "application/x-ndjson"]], SUCCESS.body);
  const answer = await answered;
  expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(answer.headers.get("x-request-id")).toBe(stream);
  const text = textOf(answer);
  setTimeout(() => box.report(["hf.co/user/model:Q4_K_M"]), 50); // it reports a moment later
  const events = eventsOf(await text);
  const after = InstalledModels.parse(await (await call("GET", `models?box=${box.name}`)).json());
  expect(after.models.map(({ name }) => name)).toEqual(["hf.co/user/model:Q4_K_M"]);
  expect(events.slice(0, -1).map((event) => PullEvent.parse(event))).toEqual([
    { box: box.name, request_id: stream, status: "pulling manifest" },
    { box: box.name, request_id: stream, status: "success" },
  ]);
  expect(PullDone.parse(events.at(-1))).toEqual({
    done: true,
    status: "success",
    boxes: [{ box: box.name, request_id: stream, status: "success", error: null }],
  });
});

test("streams one box's progress at once though another refuses, and names the box that failed", async () => {
  await using atlas = await FakeBox.connect("some-atlas", []);
  await using basil = await FakeBox.connect("some-basil", []);
  const answered = call("POST", "pull", { name: "a" });
  const { stream } = await atlas.next();
  atlas.agent.answer(stream, 200, [["content-type", "application/x-ndjson"]], SUCCESS.body);
  atlas.report(["a:latest"]);
  const answer = await answered; // basil has not answered yet
  expect(answer.status).toBe(200);
  await basil.answer({ status: 500, body: '{"error":"no space left on device"}' });
  const events = eventsOf(await textOf(answer));
  for (const event of events.slice(0, -1)) expect(PullEvent.parse(event).overall?.boxes).toBe(2);
  expect(
    events
      .slice(0, -1)
      .map((event) => PullEvent.parse(event))
      .at(-1),
  ).toMatchObject({
    box: basil.name,
    error: "no space left on device",
    overall: { finished: 1, failed: 1 },
  });
  const done = PullDone.parse(events.at(-1));
  expect(done).toMatchObject({
    status: "error",
    boxes: [{ error: null }, { status: "error", error: "no space left on device" }],
  });
  expect(
    new Set([...done.boxes.map(({ request_id }) => request_id), answer.headers.get("x-request-id")])
      .size,
  ).toBe(3);
});

test("answers with an error instead of a stream if no box can begin", async () => {
  await using atlas = await FakeBox.connect("none-atlas", []);
  const one = call("POST", "pull", { name: "a" });
  await atlas.answer({ status: 400, body: '{"error":"invalid model name"}' });
  expect(await errorOf(await one)).toMatchObject({
    status: 400,
    code: "ollama_error",
    failed_at: "ollama",
    message: "invalid model name",
    request_id: atlas.received[0]?.stream,
  });
  await using basil = await FakeBox.connect("none-basil", []);
  const both = call("POST", "pull", { name: "a" });
  await atlas.answer({ status: 500, body: '{"error":"disk"}' });
  await basil.answer({ status: 500, body: "" });
  expect(await errorOf(await both)).toMatchObject({
    status: 502,
    code: "boxes_failed",
    failed_at: "ollama",
    message: "none-atlas: disk; none-basil: Ollama answered with an error that has no message.",
  });
});

test("stops the pull on every box when the caller disconnects", async () => {
  await using atlas = await FakeBox.connect("left-atlas", []);
  await using basil = await FakeBox.connect("left-basil", []);
  const answered = call("POST", "pull", { name: "a" });
  const [a, b] = [await atlas.next(), await basil.next()];
  const head = jsonBytes({ status: 200, headers: [["content-type", "application/x-ndjson"]] });
  const line = new TextEncoder().encode('{"status":"pulling manifest"}\n');
  atlas.agent.send({ type: FrameType.head, stream: a.stream, seq: 0, payload: head });
  atlas.agent.send({ type: FrameType.data, stream: a.stream, seq: 1, payload: line });
  const reader = (await answered).body?.getReader();
  await reader?.read();
  await reader?.cancel();
  // One was in the middle, the other had not begun.
  expect((await atlas.agent.next(FrameType.abort)).stream).toBe(a.stream);
  expect((await basil.agent.next(FrameType.abort)).stream).toBe(b.stream);
});

test("notices that the caller has disconnected while no box sends anything", async () => {
  const silent = new TransformStream<Uint8Array, Uint8Array>();
  const pulls = [Promise.resolve(silent.readable), new Promise<never>(() => {})].map((body, n) => ({
    box: `silent-${n}`,
    requestId: crypto.randomUUID(),
    body,
  }));
  const left = Promise.withResolvers<void>();
  const events = pullEvents(pulls, {
    keepAliveMs: 60_000,
    onLeft: left.resolve,
    beforeDone: async () => {},
  });
  await events.cancel();
  await left.promise;
});

test("keeps the connection of a silent pull with comments", async () => {
  const silent = new TransformStream<Uint8Array, Uint8Array>();
  const pull = {
    box: "quiet",
    requestId: crypto.randomUUID(),
    body: Promise.resolve(silent.readable),
  };
  const done: string[][] = [];
  const beforeDone = async (boxes: readonly string[]) => void done.push([...boxes]);
  const events = pullEvents([pull], {
    keepAliveMs: 10,
    onLeft: () => done.push(["left"]),
    beforeDone,
  });
  const writer = silent.writable.getWriter();
  void writer.write(new TextEncoder().encode('{"status":"pulling manifest"}\n{"status":"succ'));
  let text = "";
  for await (const chunk of events.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.endsWith(": still there\n\n: still there\n\n")) {
      void writer.write(new TextEncoder().encode('ess"}'));
      void writer.close();
    }
  }
  expect(eventsOf(text).at(-1)).toMatchObject({ done: true, status: "success" });
  expect(done).toEqual([["quiet"]]);
});

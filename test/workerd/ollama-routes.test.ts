/** `/api/ollama` in the real runtime, with agents that do what a test says. */
import { env, exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import {
  InstalledModels,
  Library,
  ModelDeleted,
  PullDone,
  PullEvent,
} from "../../protocol/api/ollama.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import { FrameType, jsonBytes, parsePayload, tunnelFrame } from "../../protocol/frames.ts";
import { Open } from "../../protocol/messages.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { forgetBoxes } from "../../worker/gateway/fleet.ts";
import { pullEvents } from "../../worker/models/pull.ts";
import { readingsOf } from "../support/records.ts";
import { FakeAgent } from "./fake-agent.ts";

const call = (method: string, path: string, body?: unknown): Promise<Response> =>
  exports.default.fetch(`http://localhost/api/ollama/${path}`, {
    method,
    body: body === undefined ? null : JSON.stringify(body),
  });

/** Not `text()`: the runtime warns of it where the type is not text. */
const textOf = async (answer: Response) => new TextDecoder().decode(await answer.arrayBuffer());
const eventsOf = (text: string): unknown[] =>
  [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json ?? ""));
const errorOf = async (answer: Response) => ({
  status: answer.status,
  ...ApiError.parse(await answer.json()).error,
});

type Answer = { status: number; body: string };

/** A box whose Ollama answers as it is told, and which then has the models that it is told. */
class FakeBox {
  readonly name: string;
  readonly agent: FakeAgent;
  readonly asked: { open: Open; stream: string; body: unknown }[] = [];

  private constructor(name: string, agent: FakeAgent) {
    this.name = name;
    this.agent = agent;
  }

  static async connect(name: string, models: string[]): Promise<FakeBox> {
    const box = new FakeBox(name, await FakeAgent.connect(name));
    await box.has(models);
    return box;
  }

  /** Sends readings, and waits until the registry knows them. */
  async has(models: string[], loaded: string[] = []): Promise<void> {
    this.tell(models, loaded);
    await eventually(async () => {
      const found = (await aggregatorOf(env).registry()).find(({ name }) => name === this.name);
      return (
        JSON.stringify(found?.readings?.inventory.models.map(({ name }) => name)) ===
        JSON.stringify(models)
      );
    });
    forgetBoxes();
  }

  tell(models: string[], loaded: string[] = []): void {
    this.agent.send(tunnelFrame(FrameType.readings, readingsOf(Date.now(), models, [], loaded)));
  }

  async next(): Promise<{ open: Open; stream: string; body: unknown }> {
    const { stream, payload } = await this.agent.next(FrameType.open);
    const body: unknown = JSON.parse(
      new TextDecoder().decode((await this.agent.next(FrameType.data)).payload),
    );
    const asked = { open: parsePayload(Open, payload), stream, body };
    this.asked.push(asked);
    return asked;
  }

  async answer({ status, body }: Answer, models?: string[]): Promise<void> {
    const { stream } = await this.next();
    this.agent.answer(
      stream,
      status,
      [["content-type", status === 200 ? "application/x-ndjson" : "application/json"]],
      body,
    );
    if (models !== undefined) this.tell(models);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.socket.close(1000, "the test is over");
    await eventually(async () =>
      (await aggregatorOf(env).registry()).some(
        ({ name, state }) => name === this.name && state === "down",
      ),
    );
    forgetBoxes();
  }
}

async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
}

const SUCCESS: Answer = {
  status: 200,
  body: '{"status":"pulling manifest"}\n{"status":"success"}\n',
};
const DELETED: Answer = { status: 200, body: "" };
const NOT_FOUND: Answer = { status: 404, body: '{"error":"model \'a\' not found"}' };

test("without a box the list is empty, and nothing can be pulled or deleted", async () => {
  expect(await (await call("GET", "models")).json()).toEqual({ models: [], simulated: false });
  for (const answer of [
    await call("POST", "pull", { name: "a" }),
    await call("DELETE", "models/a"),
  ]) {
    expect(answer.headers.get("retry-after")).toBe("5");
    expect(await errorOf(answer)).toMatchObject({ status: 503, code: "no_box" });
  }
  expect(Library.parse(await (await call("GET", "library")).json()).total).toBeGreaterThan(60);
});

const BAD: [
  method: string,
  path: string,
  body: unknown,
  status: number,
  code: string,
  message: RegExp,
][] = [
  ["GET", "models?box=", undefined, 400, "bad_request", /box name/],
  ["GET", "models?box=unheard-of", undefined, 404, "box_not_found", /no box named unheard-of/],
  ["GET", "models?name=a", undefined, 400, "bad_request", /name/],
  ["GET", "models?box=a&box=b", undefined, 400, "bad_request", /twice/],
  ["POST", "models", {}, 405, "method_not_allowed", /GET/],
  ["POST", "pull", undefined, 400, "bad_request", /empty/],
  ["POST", "pull", {}, 400, "bad_request", /"name" or "model"/],
  ["POST", "pull", { name: "a", model: "a" }, 400, "bad_request", /not both/],
  ["POST", "pull", { name: 1 }, 400, "bad_request", /name/],
  ["POST", "pull", { name: "" }, 400, "bad_request", /name/],
  ["POST", "pull", { model: "../etc/passwd" }, 400, "bad_request", /name of a model/],
  ["POST", "pull", { name: "a", insecure: "yes" }, 400, "bad_request", /insecure/],
  ["POST", "pull", { name: "a", stream: false }, 400, "bad_request", /stream/],
  ["POST", "pull", { name: "gpt-oss:120b-cloud" }, 403, "cloud_model", /cloud model/],
  ["POST", "pull?box=unheard-of", { name: "a" }, 404, "box_not_found", /unheard-of/],
  ["POST", "pull?box=no%20box", { name: "a" }, 400, "bad_request", /box name/],
  ["GET", "pull", undefined, 405, "method_not_allowed", /POST/],
  ["DELETE", "models/a?box=unheard-of", undefined, 404, "box_not_found", /unheard-of/],
  ["DELETE", "models/a%20b", undefined, 400, "bad_request", /name of a model/],
  ["DELETE", "models/", undefined, 404, "not_found", /not a path/],
  ["DELETE", "models/a?force=1", undefined, 400, "bad_request", /force/],
  ["GET", "library?query=a", undefined, 400, "bad_request", /query/],
  ["GET", `library?q=${"a".repeat(201)}`, undefined, 400, "bad_request", /q/],
  ["GET", "library?category=", undefined, 400, "bad_request", /category/],
];

test.each(BAD)(
  "bad input %#: %s %s is told in the one shape",
  async (method, path, body, status, code, message) => {
    const error = {
      status,
      code,
      message: expect.stringMatching(message),
      failed_at: "gateway",
      request_id: expect.any(String),
    };
    expect(await errorOf(await call(method, path, body))).toEqual(error);
  },
);

test("the list is of the boxes that are up, or of one; of one that is down nothing is known", async () => {
  await using atlas = await FakeBox.connect("list-atlas", ["a:latest", "b:7b"]);
  {
    await using basil = await FakeBox.connect("list-basil", ["a:latest"]);
    await basil.has(["a:latest"], ["a:latest"]);
    const { models } = InstalledModels.parse(await (await call("GET", "models")).json());
    expect(models.map(({ name, boxes, loaded_on }) => [name, boxes, loaded_on])).toEqual([
      ["a:latest", [atlas.name, basil.name], [basil.name]],
      ["b:7b", [atlas.name], []],
    ]);
    expect(
      InstalledModels.parse(await (await call("GET", `models?box=${basil.name}`)).json()).models,
    ).toHaveLength(1);
  }
  expect(InstalledModels.parse(await (await call("GET", "models")).json()).models).toHaveLength(2);
  expect(await errorOf(await call("GET", "models?box=list-basil"))).toMatchObject({
    status: 503,
    code: "box_down",
  });
  expect(await errorOf(await call("POST", "pull?box=list-basil", { name: "a" }))).toMatchObject({
    status: 503,
    code: "box_down",
  });
  expect(await errorOf(await call("DELETE", "models/a?box=list-basil"))).toMatchObject({
    status: 503,
    code: "box_down",
  });
});

test("a pull to one box has the caller's request id, and is over when the box has told of the model", async () => {
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
  setTimeout(() => box.tell(["hf.co/user/model:Q4_K_M"]), 50); // it tells a moment later
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

test("of two boxes one may refuse: the other's progress is shown at once, and the end says which", async () => {
  await using atlas = await FakeBox.connect("some-atlas", []);
  await using basil = await FakeBox.connect("some-basil", []);
  const answered = call("POST", "pull", { name: "a" });
  const { stream } = await atlas.next();
  atlas.agent.answer(stream, 200, [["content-type", "application/x-ndjson"]], SUCCESS.body);
  atlas.tell(["a:latest"]);
  const answer = await answered; // basil has said nothing yet
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

test("when no box can begin, the answer is an error and no stream", async () => {
  await using atlas = await FakeBox.connect("none-atlas", []);
  const one = call("POST", "pull", { name: "a" });
  await atlas.answer({ status: 400, body: '{"error":"invalid model name"}' });
  expect(await errorOf(await one)).toMatchObject({
    status: 400,
    code: "ollama_error",
    failed_at: "ollama",
    message: "invalid model name",
    request_id: atlas.asked[0]?.stream,
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

test("a caller that leaves stops the pull on every box", async () => {
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

test.each([["hf.co/user/model:Q4_K_M"], ["hf.co%2Fuser%2Fmodel%3AQ4_K_M"]])(
  "%s is deleted where it is",
  async (raw) => {
    const model = "hf.co/user/model:Q4_K_M";
    await using atlas = await FakeBox.connect("raw-atlas", [model]);
    await using basil = await FakeBox.connect("raw-basil", ["a:latest"]);
    const answered = call("DELETE", `models/${raw}`);
    await atlas.answer(DELETED, []);
    const answer = await answered;
    const [asked] = atlas.asked;
    expect(ModelDeleted.parse(await answer.json())).toEqual({
      status: "deleted",
      model,
      boxes: [{ box: atlas.name, request_id: asked?.stream }],
    });
    expect(asked?.open).toMatchObject({ method: "DELETE", path: "/api/delete", model });
    expect(asked?.body).toEqual({ model });
    expect(basil.asked).toEqual([]);
    expect(await errorOf(await call("DELETE", `models/${raw}`))).toMatchObject({
      status: 404,
      code: "model_not_found",
      message: `There is no model named ${model} on any connected box.`,
    });
  },
);

test("a model is deleted on all boxes that have it, or on one; a name without its tag is :latest", async () => {
  await using atlas = await FakeBox.connect("all-atlas", ["a:latest"]);
  await using basil = await FakeBox.connect("all-basil", ["a:latest", "a:7b"]);
  const all = call("DELETE", "models/a");
  await Promise.all([atlas.answer(DELETED, []), basil.answer(DELETED, ["a:7b"])]);
  expect(ModelDeleted.parse(await (await all).json()).boxes.map(({ box }) => box)).toEqual([
    atlas.name,
    basil.name,
  ]);
  const one = call("DELETE", `models/a:7b?box=${basil.name}`);
  await basil.answer(DELETED, []);
  expect((await one).status).toBe(200);
  // Of a box that is named Ollama itself is asked, whatever the inventory says.
  const none = call("DELETE", `models/a?box=${atlas.name}`);
  await atlas.answer(NOT_FOUND);
  expect(await errorOf(await none)).toMatchObject({
    status: 404,
    code: "model_not_found",
    message: `There is no model named a on box ${atlas.name}.`,
  });
});

test("a model that is not deleted everywhere is 502, and says where it was and where it was not", async () => {
  await using atlas = await FakeBox.connect("part-atlas", ["a:latest"]);
  await using basil = await FakeBox.connect("part-basil", ["a:latest"]);
  await using cinder = await FakeBox.connect("part-cinder", ["a:latest"]);
  const answered = call("DELETE", "models/a");
  await Promise.all([
    atlas.answer(DELETED, []),
    basil.answer({ status: 500, body: '{"error":"file is in use"}' }),
    cinder.answer(NOT_FOUND),
  ]);
  expect(await errorOf(await answered)).toMatchObject({
    status: 502,
    code: "boxes_failed",
    failed_at: "ollama",
    message:
      "part-atlas: done; part-basil: file is in use; part-cinder: There is no model named a on box part-cinder.",
  });
});

test("the library is the catalogue and the repository, ranked, with where a model is", async () => {
  await using box = await FakeBox.connect("library", ["tinyllama:latest", "mine/tiny:1b"]);
  await aggregatorOf(env).repositoryPut("mine/tiny:1b", { description: "Ours", is_favorite: true });
  const answer = Library.parse(await (await call("GET", "library?q=tiny")).json());
  expect(answer.catalogue).toMatchObject({
    date: expect.any(String),
    source: "https://ollama.com/library",
  });
  expect(answer.models.slice(0, 2)).toMatchObject([
    { name: "tinyllama", source: "catalogue", size: "638 MB", installed_on: [box.name] },
    {
      name: "mine/tiny:1b",
      source: "repository",
      description: "Ours",
      is_favorite: true,
      installed_on: [box.name],
    },
  ]);
  expect(answer.total).toBe(answer.models.length);
  const embedders = Library.parse(
    await (await call("GET", "library?q=embed&category=embedding")).json(),
  ).models;
  expect(new Set(embedders.map(({ category }) => category))).toEqual(new Set(["embedding"]));
});

test("/api/chat without a model takes the default of the repository when a box has it, else one that is loaded", async () => {
  await using box = await FakeBox.connect("default", ["first:latest", "chosen:7b", "loaded:1b"]);
  await box.has(["first:latest", "chosen:7b", "loaded:1b"], ["loaded:1b"]);
  const modelOf = async () => {
    const answered = exports.default.fetch("http://localhost/api/chat", {
      method: "POST",
      body: '{"prompt":"x"}',
    });
    const { stream, open } = await box.next();
    box.agent.answer(stream, 200, [["content-type", "application/x-ndjson"]], '{"done":true}\n');
    await textOf(await answered);
    return open.model;
  };
  const setDefault = (name: string, is_default: boolean) =>
    exports.default.fetch(`http://localhost/api/models/repository/${name}`, {
      method: "PUT",
      body: JSON.stringify({ is_default }),
    });
  expect(await modelOf()).toBe("loaded:1b");
  await aggregatorOf(env).repositoryPut("chosen:7b", {});
  await aggregatorOf(env).repositoryPut("elsewhere:7b", {});
  expect((await setDefault("chosen:7b", true)).status).toBe(200);
  expect(await modelOf()).toBe("chosen:7b");
  expect((await setDefault("elsewhere:7b", true)).status).toBe(200);
  expect(await modelOf()).toBe("loaded:1b");
  expect((await setDefault("elsewhere:7b", false)).status).toBe(200);
});

test("a caller that leaves is noticed though no box says anything", async () => {
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

test("a pull that says nothing for a while keeps its connection with a comment", async () => {
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

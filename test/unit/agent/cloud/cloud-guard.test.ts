/** The guard in front of an Ollama that has cloud models, at both doors of the agent. */
import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { FrameType, parsePayload } from "../../../../protocol/frames.ts";
import { Head, type Open } from "../../../../protocol/messages.ts";
import { FakeEdge } from "../../../support/fake-edge.ts";
import { Listening } from "../../../support/listening.ts";

/** The entries of `/api/tags`; null makes it fail. */
let listed: object[] | null;
let calls: string[];
let ollama: Server;
let url: string;

const stub = (name: string) => ({
  name,
  model: name,
  remote_host: "https://ollama.com:443",
  remote_model: "gpt-oss:120b",
});

beforeAll(async () => {
  ollama = createServer((request, response) => {
    const { method, url: path = "" } = request;
    request.resume();
    if (path === "/api/ps") response.end('{"models":[]}');
    else if (path === "/api/version") response.end('{"version":"0.24.0"}');
    else if (path === "/api/tags")
      response.writeHead(listed === null ? 500 : 200).end(JSON.stringify({ models: listed }));
    else response.end('{"answered":true}');
    calls.push(`${method} ${path}`);
  });
  await new Promise<void>((resolve) => ollama.listen(0, "127.0.0.1", resolve));
  const address = ollama.address();
  url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
});

afterAll(() => {
  ollama.closeAllConnections();
  ollama.close();
});

beforeEach(() => {
  listed = [{ name: "llama3.2:latest" }, { name: "my-cloud:latest" }, stub("alias:latest")];
  calls = [];
});

type Answered = { status: number; body: unknown };
type Door = (method: string, path: string, body: string | null, model: string) => Promise<Answered>;

const apiOf = (path: string) =>
  path === "/v1/messages" ? "anthropic" : path.startsWith("/v1/") ? "openai" : "ollama";

/** Runs a test through the tunnel and through the listener. */
async function throughBoth(run: (door: Door) => Promise<void>): Promise<void> {
  {
    await using edge = await FakeEdge.start(url);
    await run(async (method, path, body, model) => {
      const id = randomUUID();
      const endpoint = path.startsWith("/v1/models/") ? "/v1/models/:model" : path;
      edge.open(
        id,
        { method, path, endpoint, api: apiOf(path), model } as Partial<Open>,
        body ?? "",
      );
      const end = await edge.received(FrameType.end, id);
      const frames = edge.frames.filter(({ stream }) => stream === id);
      const head = frames.find(({ type }) => type === FrameType.head);
      const data = frames.filter(({ type }) => type === FrameType.data);
      edge.send({ type: FrameType.ack, stream: id, seq: end.seq + 1, payload: new Uint8Array() });
      const record = await edge.recorded(id);
      const status = head === undefined ? 0 : parsePayload(Head, head.payload).status;
      if (status === 403) expect(record).toMatchObject({ failed_at: "gateway", http_status: 403 });
      return {
        status,
        body: JSON.parse(Buffer.concat(data.map((each) => each.payload)).toString()),
      };
    });
  }
  await using listening = await Listening.start(url);
  await run(async (method, path, body) => {
    const length = { "content-length": Buffer.byteLength(body ?? "") };
    const answer = await listening.call(method, path, body, length);
    if (answer.status === 403)
      expect(await listening.recordOf(answer)).toMatchObject({ failed_at: "gateway" });
    return { status: answer.status, body: JSON.parse(answer.text) };
  });
}

const ofModel = (door: Door, model: string, path = "/api/chat") =>
  door("POST", path, JSON.stringify({ model }), model);

const inferences = () => calls.filter((call) => !/\/api\/(ps|version|tags)$/.test(call));

test.each([
  "gpt-oss:cloud",
  "gpt-oss:120b-cloud",
  "alias",
  "ALIAS:latest",
  "library/alias",
  "alias:local",
])("refuses %s as a cloud model", (model) =>
  throughBoth(async (door) => {
    for (const path of ["/api/chat", "/api/show", "/v1/chat/completions", "/v1/messages"])
      expect(await ofModel(door, model, path)).toMatchObject({
        status: 403,
        body: path.startsWith("/api/")
          ? { error: expect.stringMatching(/is a cloud model/) }
          : { error: { type: "permission_error" } },
      });
    expect(inferences()).toEqual([]);
  }),
);

test.each(["gpt-oss: cloudy", "gpt-oss:\u00a0x", "gpt-oss\u0085", " llama3.2"])(
  "refuses %j, which is not in the grammar of names",
  (model) =>
    throughBoth(async (door) => {
      expect(await ofModel(door, model)).toEqual({
        status: 400,
        body: { error: `${JSON.stringify(model)} is not a valid name of a model.` },
      });
      expect(inferences()).toEqual([]);
    }),
);

test.each(["llama3.2", "my-cloud", "MY-CLOUD:latest"])("passes the local model %s", (model) =>
  throughBoth(async (door) => {
    expect(await ofModel(door, model)).toEqual({ status: 200, body: { answered: true } });
  }),
);

test("reads the list again before it decides about a name that is not installed", () =>
  throughBoth(async (door) => {
    await ofModel(door, "llama3.2");
    listed = [stub("fresh-alias:latest"), { name: "fresh:latest" }];
    expect(await ofModel(door, "fresh-alias")).toMatchObject({ status: 403 });
    expect(await ofModel(door, "fresh")).toMatchObject({ status: 200 });
    // Ollama has its own answer to a model that is nowhere.
    expect(await ofModel(door, "nowhere")).toMatchObject({ status: 200 });
  }));

test("sends nothing to Ollama for a name that is in no list it could read", async () => {
  listed = null;
  await using listening = await Listening.start(url);
  const answer = await listening.call("POST", "/api/chat", '{"model":"llama3.2"}');
  expect(answer).toMatchObject({ status: 503, text: expect.stringMatching(/HTTP 500/) });
  expect(inferences()).toEqual([]);
});

test("lets an administrator pull and delete models that are not local", () =>
  throughBoth(async (door) => {
    expect(await ofModel(door, "new", "/api/pull")).toMatchObject({ status: 200 });
    expect(await door("DELETE", "/api/delete", '{"model":"alias"}', "alias")).toMatchObject({
      status: 200,
    });
  }));

const search = JSON.stringify({ model: "llama3.2", tools: [{ type: "web_search_20250305" }] });

test("refuses the tools that Ollama runs on ollama.com, in the shape of the API", () =>
  throughBoth(async (door) => {
    for (const path of ["/v1/messages", "/v1/responses"])
      expect(await door("POST", path, search, "llama3.2")).toMatchObject({
        status: 403,
        body: {
          error: {
            type: "permission_error",
            message: expect.stringMatching(/^The tool web_search/),
          },
        },
      });
    expect(inferences()).toEqual([]);
  }));

test("passes the tools that run on ollama.com if the owner allows them", async () => {
  await using listening = await Listening.start(url, { allowsServerTools: true });
  const answer = await listening.call("POST", "/v1/messages", search);
  expect(answer).toMatchObject({ status: 200, text: '{"answered":true}' });
});

test("reads one list for many callers of a name that is not installed", async () => {
  await using listening = await Listening.start(url);
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => listening.call("POST", "/api/chat", '{"model":"nowhere"}')),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(calls.filter((call) => call === "GET /api/tags").length).toBeLessThan(50);
});

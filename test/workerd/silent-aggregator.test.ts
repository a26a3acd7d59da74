/** Every route of a call is answered while the Aggregator is silent: nothing on its way waits for it. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { FrameType } from "../../protocol/frames.ts";
import type { Bindings } from "../../worker/env.ts";
import { fleetFor, forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import worker from "../../worker/index.ts";
import { eventually, textOf } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";
import { ADMIN, bearer, CALLER, keys } from "./keyed-edge.ts";

const LINES = [["content-type", "application/x-ndjson"]] as [string, string][];

beforeAll(async () => {
  const box = await FakeBox.connect("heard", ["m:latest"]);
  void box.agent.each(FrameType.open, ({ stream }) => {
    box.agent.answer(stream, 200, LINES, '{"message":{"content":"Hi"},"done":true}\n');
  });
  forgetBoxes();
  const invocation = { env: env as Bindings, waitUntil: () => {} };
  await eventually(async () => {
    const { boxes } = await fleetFor(invocation, Date.now(), () => false);
    return boxes.some(({ installed }) => installed.includes("m:latest")) || undefined;
  });
});

/** An Aggregator whose calls never end. Notes their names. */
function silent() {
  const calls: string[] = [];
  const stub = new Proxy(
    {},
    {
      get: (_, name) => () => {
        calls.push(String(name));
        return new Promise(() => {});
      },
    },
  );
  return { calls, AGGREGATOR: { getByName: () => stub } as unknown as DurableObjectNamespace };
}

const CHAT = { method: "POST", body: '{"model":"m","messages":[{"role":"user","content":"x"}]}' };
const AS_CALLER = bearer(CALLER);

test.each<[string, RequestInit]>([
  ["/ollama/api/chat", { ...CHAT, headers: AS_CALLER }],
  ["/v1/chat/completions", { ...CHAT, headers: AS_CALLER }],
  ["/v1/messages", { ...CHAT, headers: { "x-api-key": CALLER } }],
  ["/api/chat", { ...CHAT, headers: AS_CALLER }],
  ["/api/chat", { ...CHAT, headers: { ...AS_CALLER, accept: "application/x-ndjson" } }],
  [`/ollama/k/${CALLER}/api/chat`, CHAT],
  ["/ollama/api/tags", { headers: AS_CALLER }],
  ["/api/ps", { headers: AS_CALLER }],
  ["/v1/models", { headers: AS_CALLER }],
  ["/readyz", {}],
])("%s is answered while the Aggregator is silent", async (path, init) => {
  const { AGGREGATOR } = silent();
  const request = new Request(`https://edge.example${path}`, init);
  const answer = await worker.fetch(request, keys({ AGGREGATOR }), createExecutionContext());
  expect(answer.status).toBe(200);
  await textOf(answer);
});

test("signing in, and a call of a session, are answered while the Aggregator is silent", async () => {
  const { AGGREGATOR, calls } = silent();
  const fetched = (path: string, init: RequestInit) =>
    worker.fetch(
      new Request(`https://edge.example${path}`, init),
      keys({ AGGREGATOR }),
      createExecutionContext(),
    );
  const page = { "sec-fetch-site": "same-origin" };
  const signedIn = await fetched("/api/session", {
    method: "POST",
    headers: page,
    body: JSON.stringify({ key: ADMIN }),
  });
  expect(signedIn.status).toBe(200);
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  const answer = await fetched("/ollama/api/chat", { ...CHAT, headers: { ...page, cookie } });
  expect(answer.status).toBe(200);
  await textOf(answer);
  // Beside the calls, the sign-in is noted, and a fleet that has been known for some seconds is refreshed.
  expect(calls.filter((name) => name !== "fleet" && name !== "noteAudit")).toEqual([]);
});

test("a wrong key wakes no object", async () => {
  const { AGGREGATOR, calls } = silent();
  const request = new Request("https://edge.example/ollama/api/chat", {
    ...CHAT,
    headers: bearer("an-unknown-key-012345"),
  });
  const answer = await worker.fetch(request, keys({ AGGREGATOR }), createExecutionContext());
  expect([answer.status, calls]).toEqual([401, []]);
});

/** Ollama's lists in the real runtime: one answer for all boxes, and one record. */
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { FrameType, parsePayload } from "../../protocol/frames.ts";
import { Open } from "../../protocol/messages.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import type { Bindings } from "../../worker/env.ts";
import { REFRESH_MS } from "../../worker/gateway/known-boxes.ts";
import { fleetFor, forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { call, eventually, logOf, textOf } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";

afterEach(async () => {
  for (const name of await aggregatorOf(env).boxNames()) await aggregatorOf(env).forgetBox(name);
  forgetBoxes();
});

const ROOTS = ["/ollama", "/ollama/k/any-key", ""];
const LISTS = ["/api/tags", "/api/ps", "/api/version", "/v1/models"];

test("answers each list for all boxes, at every address, without a request to one", async () => {
  await using atlas = await FakeBox.connect("union-atlas", ["a:1b", "both:8b"]);
  await using basil = await FakeBox.connect("union-basil", ["both:8b", "b:1b"]);
  await basil.has(["both:8b", "b:1b"], ["b:1b"]);
  for (const path of LISTS) {
    const answers = await Promise.all(
      ROOTS.map(async (root) => {
        const answer = await call(root + path);
        expect(answer.headers.get("x-box")).toBe("union-atlas, union-basil");
        expect(answer.headers.get("x-route-reason")).toBe("union");
        return [answer.status, answer.headers.get("content-type"), await textOf(answer)];
      }),
    );
    expect(answers[0]?.[0]).toBe(200);
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  }
  const { models } = await (await call("/api/tags")).json<{ models: { name: string }[] }>();
  expect(models.map(({ name }) => name)).toEqual(["a:1b", "b:1b", "both:8b"]);
  const ps = await (await call("/api/ps")).json<{ models: { name: string }[] }>();
  expect(ps.models.map(({ name }) => name)).toEqual(["b:1b"]);
  const head = await call("/ollama/api/tags", { method: "HEAD" });
  expect([head.status, await textOf(head)]).toEqual([200, ""]);
  const opened = [...atlas.agent.frames, ...basil.agent.frames].filter(
    ({ type }) => type === FrameType.open,
  );
  expect(opened).toEqual([]);
});

test("records a list once, as a success without a box", async () => {
  await using _atlas = await FakeBox.connect("once-atlas", ["a:1b"]);
  await using _basil = await FakeBox.connect("once-basil", ["b:1b"]);
  const answer = await call("/v1/models");
  await textOf(answer);
  const entry = await logOf(answer.headers.get("x-request-id"));
  expect(entry).toMatchObject({ status: "success", http_status: 200, box: null, source: "edge" });
  expect(entry?.endpoint).toBe("/v1/models");
  expect(entry?.latency_ms).toBeGreaterThanOrEqual(0);
});

test("lets one box, or the box that the caller names, answer itself", async () => {
  await using atlas = await FakeBox.connect("own-atlas", ["a:1b"]);
  const own = async (box: FakeBox, path: string, headers: Record<string, string> = {}) => {
    const answering = call(path, { headers });
    const { stream, payload } = await box.agent.next(FrameType.open);
    expect(parsePayload(Open, payload).path).toBe("/api/tags");
    box.agent.answer(stream, 200, [["content-type", "application/json"]], '{"models":"own"}');
    const answer = await answering;
    return [answer.headers.get("x-box"), await textOf(answer)];
  };
  expect(await own(atlas, "/ollama/api/tags")).toEqual(["own-atlas", '{"models":"own"}']);
  await using basil = await FakeBox.connect("own-basil", ["b:1b"]);
  expect(await own(basil, "/ollama/@own-basil/api/tags")).toEqual([
    "own-basil",
    '{"models":"own"}',
  ]);
  expect(await own(atlas, "/api/tags", { "x-box": "own-atlas" })).toEqual([
    "own-atlas",
    '{"models":"own"}',
  ]);
});

test("shows a second box to an isolate that has known only the first one for 5 s", async () => {
  await using _atlas = await FakeBox.connect("alone-atlas", ["a:1b"]);
  const shell = { env: env as Bindings, waitUntil: () => {} };
  const alone = await aggregatorOf(env).fleet(null);
  await using _basil = await FakeBox.connect("later-basil", ["b:1b"]);
  forgetBoxes();
  const AGGREGATOR = { getByName: () => ({ fleet: async () => alone }) };
  const earlier = { ...shell, env: { ...env, AGGREGATOR } as unknown as Bindings };
  const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() - REFRESH_MS);
  await fleetFor(earlier, Date.now(), () => true);
  clock.mockRestore();
  const { models } = await (await call("/api/tags")).json<{ models: { name: string }[] }>();
  expect(models.map(({ name }) => name)).toEqual(["a:1b", "b:1b"]);
});

test("keeps the models of a box whose agent has just started and has not reached Ollama", async () => {
  await using atlas = await FakeBox.connect("fresh-atlas", ["a:1b"]);
  await using _basil = await FakeBox.connect("fresh-basil", ["b:1b"]);
  const listed = async () => {
    const { models } = await (await call("/api/tags")).json<{ models: { name: string }[] }>();
    return models.map(({ name }) => name);
  };
  atlas.report([], [], false);
  await eventually(async () => {
    const boxes = await aggregatorOf(env).registry();
    const found = boxes.find(({ name }) => name === atlas.name)?.readings?.inventory.reachable;
    return found === false ? true : undefined;
  });
  expect(await listed()).toEqual(["a:1b", "b:1b"]);
  await atlas.has([]);
  expect(await listed()).toEqual(["b:1b"]);
});

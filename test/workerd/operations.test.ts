/** Calls that change models, with several scripted boxes in the real runtime. */
import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { call, logOf, textOf } from "./calls.ts";
import { DELETED, FakeBox, NOT_FOUND } from "./fake-box.ts";

afterEach(async () => {
  for (const name of await aggregatorOf(env).boxNames()) await aggregatorOf(env).forgetBox(name);
  forgetBoxes();
});

const remove = (headers: Record<string, string> = {}) =>
  call("/ollama/api/delete", { method: "DELETE", headers, body: '{"model":"a"}' });

test("deletes a model from every box that has it, even if one has lost it meanwhile", async () => {
  await using atlas = await FakeBox.connect("all-atlas", ["a:latest"]);
  await using basil = await FakeBox.connect("all-basil", ["a:latest", "b:1b"]);
  await using cinder = await FakeBox.connect("all-cinder", ["b:1b"]);
  const deleting = remove();
  await Promise.all([atlas.answer(NOT_FOUND, []), basil.answer(DELETED, ["b:1b"])]);
  const answer = await deleting;
  expect([answer.status, answer.headers.get("x-box"), await textOf(answer)]).toEqual([
    200,
    "all-basil",
    "",
  ]);
  const received = [...atlas.received, ...basil.received];
  expect(received.map(({ body }) => body)).toEqual([{ model: "a" }, { model: "a" }]);
  expect(new Set(received.map(({ stream }) => stream)).size).toBe(2);
  expect(received.map(({ stream }) => stream)).toContain(answer.headers.get("x-request-id"));
  expect(cinder.received).toEqual([]);
});

test("answers in Ollama's shape with the outcome of each box if one cannot delete a model", async () => {
  await using atlas = await FakeBox.connect("part-atlas", ["a:latest"]);
  await using basil = await FakeBox.connect("part-basil", ["a:latest"]);
  const deleting = remove();
  await Promise.all([
    atlas.answer(DELETED, []),
    basil.answer({ status: 500, body: '{"error":"file is in use"}' }),
  ]);
  const answer = await deleting;
  expect([answer.status, await answer.json()]).toEqual([
    502,
    { error: "part-atlas: done; part-basil: file is in use" },
  ]);
});

test("deletes a model from the box that the caller names, and from no other", async () => {
  await using atlas = await FakeBox.connect("one-atlas", ["a:latest"]);
  await using basil = await FakeBox.connect("one-basil", ["a:latest"]);
  const deleting = remove({ "x-box": "one-basil" });
  await basil.answer(DELETED, []);
  const answer = await deleting;
  expect([answer.status, answer.headers.get("x-route-reason")]).toEqual([200, "named"]);
  expect(atlas.received).toEqual([]);
});

test("records a delete with an invalid body once, whatever the boxes have", async () => {
  await using _atlas = await FakeBox.connect("bad-atlas", ["a:latest"]);
  await using _basil = await FakeBox.connect("bad-basil", ["a:latest"]);
  const answer = await call("/ollama/api/delete", { method: "DELETE", body: '{"model":1}' });
  expect([answer.status, await answer.json()]).toEqual([
    400,
    { error: expect.stringContaining("must be a string") },
  ]);
  expect(await logOf(answer.headers.get("x-request-id"))).toMatchObject({ http_status: 400 });
});

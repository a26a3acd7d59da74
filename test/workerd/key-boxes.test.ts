/** A key of some boxes that may change models: it changes nothing on the others, and its calls never fail for them. */
import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import type { MadeKey } from "../../protocol/api/keys.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { textOf } from "./calls.ts";
import { DELETED, FakeBox, SUCCESS } from "./fake-box.ts";
import { ADMIN, bearer, call } from "./keyed-edge.ts";

const MODELS = ["a:latest", "b:latest"];
const boxes: FakeBox[] = [];

afterEach(async () => {
  for (const box of boxes.splice(0)) await box[Symbol.asyncDispose]();
  for (const name of await aggregatorOf(env).boxNames()) await aggregatorOf(env).forgetBox(name);
  forgetBoxes();
});

/** Connects a box of the key and one of others, which both have the models in memory. */
async function twoBoxes(): Promise<{ own: FakeBox; other: FakeBox; key: string }> {
  for (const name of ["own", "other"]) {
    const box = await FakeBox.connect(name, MODELS, { takes_settings: true, keeps_pins: true });
    boxes.push(box);
    await box.has(MODELS, MODELS);
  }
  const [own, other] = boxes as [FakeBox, FakeBox];
  const policy = { name: "Ada", scopes: ["infer", "models"], boxes: ["own"], models: ["a", "c"] };
  const init = { method: "POST", headers: bearer(ADMIN), body: JSON.stringify(policy) };
  const { key } = await (await call("/api/keys", init)).json<MadeKey>();
  return { own, other, key };
}

const as = (key: string, method: string, path: string, body?: object) =>
  call(path, { method, headers: bearer(key), ...(body && { body: JSON.stringify(body) }) });

test.each([
  ["loads", "POST", "/api/models/load", { model: "a", box: "other" }],
  ["unloads", "POST", "/api/models/unload", { model: "a", box: "other" }],
  ["pins", "PUT", "/api/pins", { model: "a", box: "other" }],
  ["unpins", "DELETE", "/api/pins?box=other&model=a", undefined],
  ["pulls", "POST", "/api/ollama/pull?box=other", { model: "a" }],
  ["deletes", "DELETE", "/api/ollama/models/a?box=other", undefined],
  ["measures", "POST", "/api/boxes/other/bench", { model: "a" }],
])("nothing %s on another box, or with another model", async (_, method, path, body) => {
  const { own, other, key } = await twoBoxes();
  const elsewhere = await as(key, method, path, body);
  expect([elsewhere.status, await elsewhere.text()]).toEqual([
    403,
    expect.stringContaining("may not use box other"),
  ]);
  const on = (text: string) => text.replace("other", "own");
  const named = on(path).replace(/(model=|models\/)a\b/, "$1b");
  const wanted = body && { ...JSON.parse(on(JSON.stringify(body))), model: "b" };
  const another = await as(key, method, named, wanted);
  expect([another.status, await another.text()]).toEqual([
    403,
    expect.stringContaining("may not use the model b"),
  ]);
  expect([own.received, other.received]).toEqual([[], []]);
});

test.each([
  ["makes a model from", "POST", "/ollama/api/create", { model: "c", from: "b", stream: false }],
  ["makes", "POST", "/ollama/api/create", { model: "b", from: "a", stream: false }],
  ["copies", "POST", "/ollama/api/copy", { source: "b", destination: "c" }],
  ["copies to", "POST", "/ollama/api/copy", { source: "a", destination: "b" }],
  ["pulls by its second name", "POST", "/ollama/api/pull", { model: "a", name: "b" }],
  ["deletes by its second name", "DELETE", "/ollama/api/delete", { model: "a", name: "b" }],
  ["adds to the repository", "POST", "/api/models/repository", { model_name: "b" }],
  ["describes", "PUT", "/api/models/repository/b", { description: "mine" }],
  ["makes a favourite of", "POST", "/api/models/repository/b/favorite", undefined],
  ["takes from the repository", "DELETE", "/api/models/repository/b", undefined],
])("a key of other models never %s this one", async (_, method, path, body) => {
  const { own, other, key } = await twoBoxes();
  const refused = await as(key, method, path, body);
  expect([refused.status, await refused.text()]).toEqual([
    403,
    expect.stringContaining("may not use the model b"),
  ]);
  expect([own.received, other.received]).toEqual([[], []]);
});

test("a key makes and copies the models that it may use", async () => {
  const { own, key } = await twoBoxes();
  for (const [path, body] of [
    ["/ollama/api/create", { model: "c", from: "a", stream: false }],
    ["/ollama/api/copy", { source: "a", destination: "c" }],
  ] as const) {
    const making = as(key, "POST", path, body);
    await own.answer({ status: 200, body: "{}" }, [...MODELS, "c:latest"]);
    expect((await making).status).toBe(200);
  }
});

test("a change of all boxes is one of the boxes of the key", async () => {
  const { own, other, key } = await twoBoxes();
  const load = as(key, "POST", "/api/models/load", { model: "a" });
  await own.answer({ status: 200, body: '{"done":true}' });
  expect(await (await load).json()).toMatchObject({ boxes: [{ box: "own" }] });
  const pull = as(key, "POST", "/api/ollama/pull", { model: "a" });
  await own.answer(SUCCESS);
  const pulled = await textOf(await pull);
  expect(pulled).not.toContain("other");
  expect(pulled).toContain(`"error":null`);
  const unload = as(key, "POST", "/api/models/unload", { model: "a" });
  await own.next().then(({ stream }) => {
    own.agent.answer(stream, 200, [["content-type", "application/json"]], '{"done":true}');
    own.report(MODELS, []);
  });
  expect(await (await unload).json()).toMatchObject({ boxes: [{ box: "own" }] });
  const remove = as(key, "DELETE", "/api/ollama/models/a");
  await own.answer(DELETED, ["b:latest"]);
  expect(await (await remove).json()).toMatchObject({ boxes: [{ box: "own" }] });
  expect(other.received).toEqual([]);
});

test("a change by a call of Ollama is one of the boxes of the key", async () => {
  const { own, other, key } = await twoBoxes();
  for (let n = 0; n < 3; n++) {
    const pull = as(key, "POST", "/ollama/api/pull", { model: "a" });
    await own.answer(SUCCESS);
    expect((await pull).headers.get("x-box")).toBe("own");
  }
  const copy = as(key, "POST", "/ollama/api/copy", { source: "a", destination: "c" });
  await own.answer({ status: 200, body: "" }, [...MODELS, "c:latest"]);
  expect((await copy).status).toBe(200);
  const remove = as(key, "DELETE", "/ollama/api/delete", { model: "a" });
  await own.answer(DELETED, ["b:latest"]);
  const answer = await remove;
  expect([answer.status, answer.headers.get("x-box")]).toEqual([200, "own"]);
  expect(other.received).toEqual([]);
});

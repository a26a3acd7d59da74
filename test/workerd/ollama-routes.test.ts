/** `/api/ollama` in the real runtime, with scripted boxes: list, delete and library. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { InstalledModels, Library, ModelDeleted } from "../../protocol/api/ollama.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { DELETED, FakeBox, NOT_FOUND } from "./fake-box.ts";
import { callOllamaApi as call, errorOf } from "./ollama-calls.ts";

test("lists nothing, and refuses to pull or delete, without a connected box", async () => {
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
  ["GET", "models?box=no-such-box", undefined, 404, "box_not_found", /no box named no-such-box/],
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
  ["POST", "pull?box=no-such-box", { name: "a" }, 404, "box_not_found", /no-such-box/],
  ["POST", "pull?box=no%20box", { name: "a" }, 400, "bad_request", /box name/],
  ["GET", "pull", undefined, 405, "method_not_allowed", /POST/],
  ["DELETE", "models/a?box=no-such-box", undefined, 404, "box_not_found", /no-such-box/],
  ["DELETE", "models/a%20b", undefined, 400, "bad_request", /name of a model/],
  ["DELETE", "models/", undefined, 404, "not_found", /not a path/],
  ["DELETE", "models/a?force=1", undefined, 400, "bad_request", /force/],
  ["GET", "library?query=a", undefined, 400, "bad_request", /query/],
  ["GET", `library?q=${"a".repeat(201)}`, undefined, 400, "bad_request", /q/],
  ["GET", "library?category=", undefined, 400, "bad_request", /category/],
];

test.each(BAD)(
  "rejects bad input %#: %s %s, in the API's error shape",
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

test("lists the models of the boxes that are up, or of one box unless it is down", async () => {
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

test.each([["hf.co/user/model:Q4_K_M"], ["hf.co%2Fuser%2Fmodel%3AQ4_K_M"]])(
  "deletes %s from the boxes that have it",
  async (raw) => {
    const model = "hf.co/user/model:Q4_K_M";
    await using atlas = await FakeBox.connect("raw-atlas", [model]);
    await using basil = await FakeBox.connect("raw-basil", ["a:latest"]);
    const answered = call("DELETE", `models/${raw}`);
    await atlas.answer(DELETED, []);
    const answer = await answered;
    const [request] = atlas.received;
    expect(ModelDeleted.parse(await answer.json())).toEqual({
      status: "deleted",
      model,
      boxes: [{ box: atlas.name, request_id: request?.stream }],
    });
    expect(request?.open).toMatchObject({ method: "DELETE", path: "/api/delete", model });
    expect(request?.body).toEqual({ model });
    expect(basil.received).toEqual([]);
    expect(await errorOf(await call("DELETE", `models/${raw}`))).toMatchObject({
      status: 404,
      code: "model_not_found",
      message: `There is no model named ${model} on any connected box.`,
    });
  },
);

test("deletes a model from all boxes or from one, and reads a name without a tag as :latest", async () => {
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
  // If the call names a box, its Ollama decides, whatever the inventory lists.
  const none = call("DELETE", `models/a?box=${atlas.name}`);
  await atlas.answer(NOT_FOUND);
  expect(await errorOf(await none)).toMatchObject({
    status: 404,
    code: "model_not_found",
    message: `There is no model named a on box ${atlas.name}.`,
  });
});

test("answers 502 with the outcome of each box if a model is not deleted everywhere", async () => {
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

test("ranks the catalogue and the repository as one library, with the boxes that have each model", async () => {
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

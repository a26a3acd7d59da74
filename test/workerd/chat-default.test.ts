/** The model that `/api/chat` uses if a call names none. */
import { env, exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { readingsOf } from "../support/records.ts";
import { eventually } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";

test("finds the first model of a box at once, although the box was known without it", async () => {
  await using box = await FakeBox.connect("new-model", []);
  const chat = () =>
    exports.default.fetch("http://localhost/api/chat", { method: "POST", body: '{"prompt":"x"}' });
  expect((await chat()).status).toBe(400);
  box.report(["first:latest"]);
  await eventually(async () => {
    const [known] = await aggregatorOf(env).registry();
    return known?.readings?.inventory.models.length === 1 ? true : undefined;
  });
  const answered = chat();
  const { stream } = await box.next();
  box.agent.answer(stream, 200, [["content-type", "application/x-ndjson"]], '{"done":true}\n');
  expect((await answered).status).toBe(200);
});

test("waits for the only box, as a call that names its model does", async () => {
  const box = await FakeBox.connect("away", ["first:latest"]);
  await box[Symbol.asyncDispose]();
  const answered = exports.default.fetch("http://localhost/api/chat", {
    method: "POST",
    body: '{"prompt":"x"}',
  });
  await using back = await FakeBox.connect("away", ["first:latest"]);
  const { stream, open } = await back.next();
  expect(open.model).toBe("first:latest");
  back.agent.answer(stream, 200, [["content-type", "application/x-ndjson"]], '{"done":true}\n');
  await (await answered).arrayBuffer();
});

test("never chooses an embedding model for a chat, even if it is in memory and first on disk", async () => {
  await using box = await FakeBox.connect("embedder", []);
  const readings = readingsOf(
    Date.now(),
    ["nomic-embed-text:latest", "llama3.2:latest"],
    [],
    ["nomic-embed-text:latest"],
  );
  const [embedder] = readings.inventory.models;
  if (embedder !== undefined) embedder.family = "nomic-bert";
  await aggregatorOf(env).read("embedder", readings);
  forgetBoxes();
  const answer = exports.default.fetch("http://localhost/api/chat", {
    method: "POST",
    body: '{"prompt":"Hello"}',
  });
  const { stream, open } = await box.next();
  expect(open.model).toBe("llama3.2:latest");
  box.agent.answer(
    stream,
    200,
    [["content-type", "application/x-ndjson"]],
    '{"message":{"content":"Hi"},"done":true}\n',
  );
  await (await answer).arrayBuffer();
});

test("uses the repository's default for a chat without a model if a box has it, otherwise a loaded model", async () => {
  await using box = await FakeBox.connect("default", ["first:latest", "chosen:7b", "loaded:1b"]);
  await box.has(["first:latest", "chosen:7b", "loaded:1b"], ["loaded:1b"]);
  const modelOf = async () => {
    const answered = exports.default.fetch("http://localhost/api/chat", {
      method: "POST",
      body: '{"prompt":"x"}',
    });
    const { stream, open } = await box.next();
    box.agent.answer(stream, 200, [["content-type", "application/x-ndjson"]], '{"done":true}\n');
    await (await answered).arrayBuffer();
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

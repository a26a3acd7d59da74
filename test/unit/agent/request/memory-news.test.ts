/** Requests show which models are in memory, before the next poll of Ollama does. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { unloadsAfter } from "../../../../agent/request/memory-news.ts";
import { readBodyOf } from "../../../../protocol/body-reader.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../../../simulated/ollama.ts";
import { Listening } from "../../../support/listening.ts";

let simulated: SimulatedOllama;
let listening: Listening;
const news: [model: string, isLoaded: boolean][] = [];

beforeAll(async () => {
  simulated = await startSimulatedOllama({ models: ["m:1b"], tokenMs: 1, loadMsPerGb: 0 });
  listening = await Listening.start(simulated.url);
  listening.memory.onNews = (model, isLoaded) => news.push([model, isLoaded]);
});

afterAll(async () => {
  await listening?.[Symbol.asyncDispose]();
  await simulated?.close();
});

const options = { num_predict: 2 };
test.each<[what: string, path: string, body: object, news: typeof news]>([
  ["an answer", "/api/chat", { messages: [{ role: "user", content: "Hi" }] }, [["m:1b", true]]],
  ["a load", "/api/generate", {}, [["m:1b", true]]],
  ["an OpenAI answer", "/v1/completions", { prompt: "Hi" }, [["m:1b", true]]],
  ["an unload", "/api/generate", { keep_alive: 0 }, [["m:1b", false]]],
  ["a last answer", "/api/generate", { prompt: "Hi", keep_alive: "0s" }, [["m:1b", false]]],
  ["a call that uses no model", "/api/show", {}, []],
  ["an error", "/api/generate", { model: "absent" }, []],
])("%s is news of its model", async (_, path, body, expected) => {
  news.length = 0;
  await listening.call("POST", path, JSON.stringify({ model: "m:1b", options, ...body }));
  expect(news).toEqual(expected);
});

test.each([
  ["0", true],
  ['"0"', true],
  ['"0s"', true],
  ['"0.0m"', true],
  ["-1", false],
  ['"5m"', false],
  ["300", false],
  ["null", false],
  ['"0h5m"', false],
  ["{}", false],
])("keep_alive %s unloads: %s", (value, unloads) => {
  const body = new TextEncoder().encode(`{"model":"m","keep_alive":${value}}`);
  expect(unloadsAfter(body, readBodyOf("/api/generate", body))).toBe(unloads);
});

test("a body without keep_alive, or none at all, unloads nothing", () => {
  const body = new TextEncoder().encode('{"model":"m"}');
  expect(unloadsAfter(body, readBodyOf("/api/generate", body))).toBe(false);
  expect(unloadsAfter(new Uint8Array(), null)).toBe(false);
});

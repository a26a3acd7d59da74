/** The first call that `npm start` suggests. */
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { firstCall, soonestChat, soonestChatOf } from "../../../local/first-call.ts";
import type { InstalledModel } from "../../../protocol/inventory.ts";
import { startSimulatedOllama } from "../../../simulated/ollama.ts";
import { NOBODY } from "../../support/stack.ts";

const model = (name: string, size_bytes: number | null, family = "llama"): InstalledModel => ({
  name,
  size_bytes,
  family,
  digest: null,
  parameter_size: null,
  quantization: null,
  modified_at: null,
});
const LARGE = model("large", 40e9);
const SMALL = model("small", 2e9);
const UNKNOWN = model("unknown", null);
const EMBEDS = model("embeds", 1e8, "nomic-bert");

test.each([
  ["the smallest on disk", [LARGE, SMALL], [], "small"],
  ["one in memory", [SMALL, LARGE], ["large"], "large"],
  ["none that only embeds", [EMBEDS, LARGE], ["embeds"], "large"],
  ["one of unknown size last", [UNKNOWN, LARGE], [], "large"],
  ["no model where all embed", [EMBEDS], [], null],
  ["no model of an empty list", [], [], null],
])("names %s", (_name, installed, loaded, expected) => {
  const inMemory = loaded.map((name) => ({ name }));
  expect(soonestChat(installed, inMemory)).toBe(expected);
});

test("reads the models of Ollama, and names none if it does not answer", async () => {
  const ollama = await startSimulatedOllama({ models: ["nomic-embed-text", "llama3.2"] });
  expect(await soonestChatOf(ollama.url)).toBe("llama3.2:latest");
  await ollama.close();
  expect(await soonestChatOf(NOBODY)).toBeNull();
});

const URL = "http://127.0.0.1:8000";
/** The words of a line, as a shell passes them to a program. */
const wordsOf = (line: string): string[] =>
  execFileSync("sh", ["-c", line.replace(/^curl/, "printf '%s\\n'")], { encoding: "utf8" })
    .trim()
    .split("\n");

test("is one line that a shell passes on unchanged", () => {
  const [url, , body = ""] = wordsOf(firstCall(URL, "it's:8b", true));
  expect(url).toBe(`${URL}/ollama/api/chat`);
  expect(JSON.parse(body)).toMatchObject({ model: "it's:8b", messages: [{ role: "user" }] });
});

test("pulls a model to a box without one, and carries a key if the edge needs one", () => {
  expect(wordsOf(firstCall(URL, null, false))).toEqual([
    `${URL}/ollama/api/pull`,
    "-H",
    "Authorization: Bearer <API key>",
    "-d",
    '{"model":"llama3.2"}',
  ]);
});

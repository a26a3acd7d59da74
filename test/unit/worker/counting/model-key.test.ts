import { expect, test } from "vitest";
import {
  MODELS_MAX,
  modelKey,
  NO_MODEL,
  OTHER,
  shortName,
} from "../../../../worker/counting/model-key.ts";
import type { RegisteredBox } from "../../../../worker/registered-box.ts";
import { helloOf, readingsOf } from "../../../support/records.ts";

const readings = readingsOf(0, ["llama3.2:latest", "qwen3:8b"], [], ["hf.co/a/b:Q4"]);
const BOXES: RegisteredBox[] = [
  {
    name: "a",
    hello: helloOf("a"),
    state: "down",
    connected_at_ms: 0,
    last_seen_ms: 0,
    readings: null,
    readings_at_ms: null,
    gpus_at_ms: null,
    gpu_energy: [],
  },
  {
    name: "b",
    hello: helloOf("b"),
    state: "up",
    connected_at_ms: 0,
    last_seen_ms: 0,
    readings,
    readings_at_ms: 0,
    gpus_at_ms: null,
    gpu_energy: [],
  },
];

test.each([
  [null, NO_MODEL],
  ["", NO_MODEL],
  ["llama3.2", "llama3.2"],
  ["llama3.2:latest", "llama3.2"],
  ["qwen3:8b", "qwen3:8b"],
  ["qwen3", OTHER],
  ["hf.co/a/b:Q4", "hf.co/a/b:Q4"],
  ["invented", OTHER],
])("the model %s counts as %j", (model, key) => {
  expect(modelKey(model, new Set(), BOXES)).toBe(key);
});

test("a counted model keeps its name after every box deleted it", () => {
  expect(modelKey("gone:latest", new Set(["gone"]), [])).toBe("gone");
});

test("beyond the limit, new models count as other, and known ones keep their names", () => {
  const known = new Set(Array.from({ length: MODELS_MAX }, (_, index) => `model-${index}`));
  expect(modelKey("llama3.2", known, BOXES)).toBe(OTHER);
  expect(modelKey("model-7", known, BOXES)).toBe("model-7");
});

test("the short name drops Ollama's default tag and keeps a port", () => {
  expect(shortName("localhost:5000/a/b")).toBe("localhost:5000/a/b");
  expect(shortName("localhost:5000/a/b:latest")).toBe("localhost:5000/a/b");
});

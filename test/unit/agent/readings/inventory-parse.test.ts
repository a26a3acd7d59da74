import { expect, test } from "vitest";
import {
  fingerprintOf,
  installedOf,
  loadedOf,
  versionOf,
} from "../../../../agent/readings/inventory-parse.ts";
import type { Inventory } from "../../../../protocol/inventory.ts";
import { LISTED_CHARS_MAX, LISTED_CHARS_PER_BOX } from "../../../../protocol/limits.ts";
import { PS, TAGS } from "./inventory-scene.ts";

test("parses the models on disk", () => {
  expect(installedOf(TAGS)).toEqual([
    {
      name: "llama3.2:latest",
      size_bytes: 2019393189,
      digest: "a80c4f17acd5",
      family: "llama",
      parameter_size: "3.2B",
      quantization: "Q4_K_M",
      modified_at: "2025-10-03T23:34:03.409490317-07:00",
      listed: JSON.stringify(TAGS.models[0]),
    },
  ]);
});

test("parses a model that is partly on the CPU and stays in memory forever", () => {
  expect(loadedOf(PS)).toEqual([
    {
      name: "gemma4",
      size_bytes: 6591830464,
      size_vram_bytes: 5333539264,
      context_length: 4096,
      expires_at: "2317-10-17T16:47:07.93355-07:00",
      listed: JSON.stringify(PS.models[0]),
    },
  ]);
});

test.each<[kind: string, entry: unknown, models: unknown[]]>([
  [
    "only a name",
    { name: "a" },
    [
      {
        name: "a",
        size_bytes: null,
        digest: null,
        family: null,
        parameter_size: null,
        quantization: null,
        modified_at: null,
        listed: '{"name":"a"}',
      },
    ],
  ],
  ["an older or newer name field", { model: "a" }, [expect.objectContaining({ name: "a" })]],
  [
    "fields of wrong types",
    { name: "a", size: "big", digest: 7, details: [] },
    [expect.objectContaining({ size_bytes: null, digest: null, family: null })],
  ],
  [
    "empty texts",
    { name: "a", details: { family: "", parameter_size: "" } },
    [expect.objectContaining({ family: null, parameter_size: null })],
  ],
  ["no name", { size: 1 }, []],
  ["a name too long", { name: "x".repeat(513) }, []],
  ["a string instead of an object", "a", []],
  [
    "a stub of a cloud model",
    {
      name: "gpt-oss:120b-cloud",
      remote_host: "https://ollama.com:443",
      remote_model: "gpt-oss:120b",
    },
    [],
  ],
])("parses an entry with %s", (_kind, entry, models) => {
  expect(installedOf({ models: [entry] })).toEqual(models);
});

test.each([
  [{ models: null }, []],
  [{ models: [] }, []],
  [{}, null],
  [[], null],
  ["Ollama is running", null],
  [null, null],
])("parses the list %j", (answer, models) => {
  expect(installedOf(answer)).toEqual(models);
  expect(loadedOf(answer)).toEqual(models);
});

test("parses a version, and returns null for anything else", () => {
  expect(versionOf({ version: "0.32.15" })).toBe("0.32.15");
  expect([versionOf({}), versionOf(null), versionOf({ version: 3 })]).toEqual([null, null, null]);
});

test("changes the fingerprint with names, versions and reachability only", () => {
  const inventory: Inventory = {
    at: "2026-08-01T00:00:00.000Z",
    reachable: true,
    error: null,
    ollama_version: "1",
    models: installedOf(TAGS) ?? [],
    loaded: loadedOf(PS) ?? [],
  };
  const later = {
    ...inventory,
    at: "2026-08-02T00:00:00.000Z",
    loaded: inventory.loaded.map((model) => ({ ...model, expires_at: "later" })),
  };
  expect(fingerprintOf(later)).toBe(fingerprintOf(inventory));
  expect(fingerprintOf({ ...inventory, loaded: [] })).not.toBe(fingerprintOf(inventory));
  expect(
    fingerprintOf({
      ...inventory,
      models: inventory.models.map((model) => ({ ...model, digest: "new" })),
    }),
  ).not.toBe(fingerprintOf(inventory));
  expect(fingerprintOf({ ...inventory, ollama_version: "2" })).not.toBe(fingerprintOf(inventory));
  expect(fingerprintOf({ ...inventory, reachable: false })).not.toBe(fingerprintOf(inventory));
});

test("leaves out entries that are too long, and those beyond the limit of a box", () => {
  const long = { name: "long", template: "x".repeat(LISTED_CHARS_MAX) };
  const many = Array.from({ length: 200 }, (_, n) => ({ name: `m${n}`, note: "x".repeat(1_000) }));
  const models = installedOf({ models: [long, ...many] }) ?? [];
  expect(models).toHaveLength(201);
  expect(models[0]).toMatchObject({ name: "long", listed: undefined });
  const listed = models.flatMap(({ listed }) => listed ?? []);
  expect(listed.join("").length).toBeLessThanOrEqual(LISTED_CHARS_PER_BOX / 2);
  expect(listed.length).toBeGreaterThan(100);
});

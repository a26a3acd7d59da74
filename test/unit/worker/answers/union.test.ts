import { expect, test } from "vitest";
import type { InstalledModel, LoadedModel } from "../../../../protocol/inventory.ts";
import { ONLY_HOLDER_MS } from "../../../../protocol/limits.ts";
import { compareVersions, LISTED_AWAY_MS, unionOf } from "../../../../worker/answers/union.ts";
import type { RegisteredBox } from "../../../../worker/registered-box.ts";
import { helloOf, readingsOf } from "../../../support/records.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");

const tagOf = (name: string, modified_at: string, digest = "c6eb396dbd59") => ({
  name,
  model: name,
  modified_at,
  size: 9608350245,
  digest,
  details: { parent_model: "", format: "gguf", family: "gemma4", families: ["gemma4"] },
  capabilities: ["completion", "vision"],
  of_a_newer_ollama: { x: 1 },
});

/** A model on disk, as a new agent reports it. */
const installed = (
  name: string,
  modified_at = "2025-10-03T23:34:03.409490317-07:00",
  digest?: string,
): InstalledModel => ({
  name,
  size_bytes: 9608350245,
  digest: digest ?? "c6eb396dbd59",
  family: "gemma4",
  parameter_size: "8.0B",
  quantization: "Q4_K_M",
  modified_at,
  listed: JSON.stringify(tagOf(name, modified_at, digest)),
});

const running = (name: string, expires_at: string): LoadedModel => ({
  name,
  size_bytes: 6591830464,
  size_vram_bytes: 5333539264,
  context_length: 4096,
  expires_at,
});

type Plan = Partial<RegisteredBox> & {
  models?: InstalledModel[];
  loaded?: LoadedModel[];
  version?: string;
  simulated?: boolean;
};

function boxOf(name: string, plan: Plan): RegisteredBox {
  const { models = [], loaded = [], version = "0.13.0", simulated = false, ...rest } = plan;
  const readings = readingsOf(NOW, []);
  Object.assign(readings.inventory, { models, loaded, ollama_version: version });
  return {
    name,
    hello: helloOf(name, { simulated }),
    state: "up",
    connected_at_ms: NOW,
    last_seen_ms: NOW,
    readings,
    readings_at_ms: NOW,
    gpus_at_ms: null,
    gpu_energy: [],
    ...rest,
  };
}

/** Has no models, and a version that no other box has. */
const EMPTY = boxOf("empty", { version: "9.0.0" });

const answer = (path: string, boxes: RegisteredBox[], nowMs = NOW) => {
  const union = unionOf(path, boxes, nowMs);
  return union === null ? null : JSON.parse(union.body);
};
const namesIn = (value: { models: { name: string }[] } | null) =>
  value?.models.map(({ name }) => name);

test("lists each model once, newest first, with every field of the Ollama that has it", () => {
  const boxes = [
    boxOf("atlas", {
      models: [installed("old:1b", "2024-01-01T00:00:00Z"), installed("both:8b", undefined, "a1")],
    }),
    boxOf("basil", {
      models: [installed("BOTH:8b", "2026-01-01T00:00:00Z", "b2"), installed("gemma4")],
    }),
  ];
  const expected = {
    models: [
      tagOf("BOTH:8b", "2026-01-01T00:00:00Z", "b2"),
      tagOf("gemma4", "2025-10-03T23:34:03.409490317-07:00"),
      tagOf("old:1b", "2024-01-01T00:00:00Z"),
    ],
  };
  expect(answer("/api/tags", boxes)).toEqual(expected);
  expect(unionOf("/api/tags", boxes, NOW)).toEqual({
    body: JSON.stringify(expected),
    contentType: "application/json; charset=utf-8",
    boxes: ["atlas", "basil"],
    isSimulated: false,
  });
  expect(answer("/api/tags", boxes.toReversed())).toEqual(expected);
});

test("lists a model of an older agent by the fields that it reports, and null for the others", () => {
  const { listed: _, ...older } = installed("gemma4");
  const foreign = { ...installed("own"), listed: JSON.stringify(tagOf("other", "2026-01-01")) };
  const broken = { ...installed("broken"), listed: "{" };
  const [first, ...rest] = answer("/api/tags", [
    boxOf("atlas", { models: [older, foreign, broken] }),
    EMPTY,
  ]).models.toReversed();
  expect(first.name).toBe("own");
  expect(rest).toMatchObject([{ name: "gemma4" }, { name: "broken" }]);
  expect(rest[0]).toEqual({
    name: "gemma4",
    model: "gemma4",
    modified_at: "2025-10-03T23:34:03.409490317-07:00",
    size: 9608350245,
    digest: "c6eb396dbd59",
    details: {
      parent_model: "",
      format: null,
      family: "gemma4",
      families: null,
      parameter_size: "8.0B",
      quantization_level: "Q4_K_M",
    },
  });
});

test("lists a model in memory once, by the box that keeps it the longest", () => {
  const boxes = [
    boxOf("atlas", { loaded: [running("m", "2026-11-20T12:03:00Z")] }),
    boxOf("basil", {
      models: [installed("m:latest")],
      loaded: [running("m:latest", "2026-11-20T12:05:00Z"), running("n", "2026-11-20T12:09:00Z")],
    }),
  ];
  expect(answer("/api/ps", boxes).models).toEqual([
    expect.objectContaining({ name: "n", digest: null }),
    {
      name: "m:latest",
      model: "m:latest",
      size: 6591830464,
      digest: "c6eb396dbd59",
      details: expect.objectContaining({ family: "gemma4", quantization_level: "Q4_K_M" }),
      expires_at: "2026-11-20T12:05:00Z",
      size_vram: 5333539264,
      context_length: 4096,
    },
  ]);
});

test("lists the models for the OpenAI API with Ollama's owner and a newline at the end", () => {
  const models = [installed("hf.co/user/model:Q4", "2026-01-01T00:00:00.9Z"), installed("gemma4")];
  const union = unionOf("/v1/models", [boxOf("atlas", { models }), EMPTY], NOW);
  expect(union?.contentType).toBe("application/json");
  expect(union?.body).toBe(
    '{"object":"list","data":[' +
      '{"id":"hf.co/user/model:Q4","object":"model","created":1767225600,"owned_by":"user"},' +
      '{"id":"gemma4","object":"model","created":1759559643,"owned_by":"library"}]}\n',
  );
  const simulated = boxOf("atlas", { models, simulated: true });
  expect(unionOf("/v1/models", [simulated, EMPTY], NOW)?.isSimulated).toBe(true);
  expect(answer("/v1/models", [simulated, EMPTY]).data[0].owned_by).toBe("simulated");
});

test("keeps the models of a box that is away for five minutes, and those in memory for 10 s", () => {
  const loaded = [running("m:1b", "2026-11-20T12:05:00Z")];
  const away = boxOf("atlas", {
    models: [installed("only:8b")],
    loaded,
    state: "down",
    last_seen_ms: NOW,
  });
  const boxes = [away, boxOf("basil", { models: [installed("m:1b")] })];
  const namesAt = (path: string, ms: number) => namesIn(answer(path, [...boxes, EMPTY], NOW + ms));
  expect(namesAt("/api/tags", LISTED_AWAY_MS - 1)).toEqual(["m:1b", "only:8b"]);
  expect(namesAt("/api/tags", LISTED_AWAY_MS)).toEqual(["m:1b"]);
  expect(namesAt("/api/ps", ONLY_HOLDER_MS - 1)).toEqual(["m:1b"]);
  expect(namesAt("/api/ps", ONLY_HOLDER_MS)).toEqual([]);
});

test("reports the oldest version among the boxes that are up", () => {
  const boxes = [
    boxOf("atlas", { version: "0.13.0", state: "down" }),
    boxOf("basil", { version: "0.33.0" }),
    boxOf("cinder", { version: "0.33.0-rc2" }),
  ];
  expect(answer("/api/version", boxes)).toEqual({ version: "0.33.0-rc2" });
  const down = boxes.map((box) => ({ ...box, state: "down" as const }));
  expect(answer("/api/version", down)).toEqual({ version: "0.13.0" });
  expect(answer("/api/show", boxes)).toBeNull();
});

test("orders versions by their numbers, and a pre-release before its release", () => {
  const sorted = ["0.9.6", "0.12.10", "0.33.0-rc2", "0.33.0-rc10", "0.33.0", "v0.33.1", "1.0"];
  expect(sorted.toReversed().sort(compareVersions)).toEqual(sorted);
});

test("lets a single box answer itself, and the last one that is not gone", () => {
  const gone = boxOf("gone", { state: "down", last_seen_ms: NOW - LISTED_AWAY_MS });
  expect(unionOf("/api/tags", [boxOf("atlas", {}), gone], NOW)).toBeNull();
  expect(unionOf("/api/tags", [], NOW)).toBeNull();
});

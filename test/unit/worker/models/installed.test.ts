import { expect, test } from "vitest";
import { InstalledModels } from "../../../../protocol/api/ollama.ts";
import type { InstalledModel } from "../../../../protocol/inventory.ts";
import { installedByName, installedModels } from "../../../../worker/models/installed.ts";
import type { RegisteredBox } from "../../../../worker/registered-box.ts";
import { helloOf, readingsOf } from "../../../support/records.ts";

const model = (name: string, rest: Partial<InstalledModel> = {}): InstalledModel => ({
  name,
  size_bytes: 2_000,
  digest: "d1",
  family: "llama",
  parameter_size: "3.2B",
  quantization: "Q4_K_M",
  modified_at: "2026-09-14T08:21:07.412Z",
  ...rest,
});

function box(
  name: string,
  models: InstalledModel[],
  state: RegisteredBox["state"] = "up",
  loaded: string[] = [],
): RegisteredBox {
  const readings = readingsOf(0, [], [], loaded);
  readings.inventory.models = models;
  return {
    name,
    hello: helloOf(name),
    state,
    connected_at_ms: 0,
    last_seen_ms: 0,
    readings,
    readings_at_ms: 0,
    gpus_at_ms: null,
    gpu_energy: [],
  };
}

test("lists one entry per name and digest, newest first, with the boxes that have it", () => {
  const boxes = [
    box("atlas", [
      model("llama3.2:latest"),
      model("old:1b", { modified_at: "2025-01-01T00:00:00Z" }),
      model("odd", { modified_at: null }),
    ]),
    box(
      "basil",
      [model("llama3.2:latest", { modified_at: "2026-10-01T00:00:00+02:00" })],
      "draining",
      ["llama3.2:latest"],
    ),
    box("cinder", [model("llama3.2:latest", { digest: "d2" })]),
    box("gone", [model("llama3.2:latest"), model("gone:1b")], "down"),
    { ...box("new", []), readings: null },
  ];
  const { models } = InstalledModels.parse(installedModels(boxes));
  expect(
    models.map(({ name, digest, boxes: on, loaded_on }) => [name, digest, on, loaded_on]),
  ).toEqual([
    ["llama3.2:latest", "d1", ["atlas", "basil"], ["basil"]],
    ["llama3.2:latest", "d2", ["cinder"], []],
    ["old:1b", "d1", ["atlas"], []],
    ["odd", "d1", ["atlas"], []],
  ]);
  expect(models[0]).toEqual({
    name: "llama3.2:latest",
    model: "llama3.2:latest",
    modified_at: "2026-10-01T00:00:00+02:00",
    size: 2_000,
    digest: "d1",
    details: { family: "llama", parameter_size: "3.2B", quantization_level: "Q4_K_M" },
    boxes: ["atlas", "basil"],
    loaded_on: ["basil"],
  });
  expect(installedModels([])).toEqual({ models: [], simulated: false });
  expect(
    installedModels([{ ...box("made-up", []), hello: helloOf("made-up", { simulated: true }) }]),
  ).toEqual({
    models: [],
    simulated: true,
  });
});

test("treats a name with and without :latest as one, and merges its different builds", () => {
  const boxes = [
    box("atlas", [model("a:latest", { size_bytes: null, modified_at: "nonsense" }), model("b:7b")]),
    box("basil", [
      model("a", { size_bytes: 7 }),
      model("a:latest", { digest: "d2", size_bytes: 9, modified_at: "2026-01-01T00:00:00Z" }),
    ]),
  ];
  const installed = installedByName(boxes);
  expect([...installed.keys()]).toEqual(["a", "b:7b"]);
  expect(installed.get("a")).toEqual({
    boxes: ["atlas", "basil"],
    sizeBytes: 9,
    installedAtMs: Date.parse("2026-01-01"),
  });
});

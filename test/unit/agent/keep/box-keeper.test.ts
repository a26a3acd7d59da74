/** An agent that carries out the pins of its box, in front of a simulated Ollama. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { configOf } from "../../../../agent/config.ts";
import { KeptPins } from "../../../../agent/keep/kept-pins.ts";
import { startBox } from "../../../../agent/start.ts";
import { FrameType, tunnelFrame } from "../../../../protocol/frames.ts";
import type { Pin } from "../../../../protocol/pin.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../../../simulated/ollama.ts";
import { FakeEdge } from "../../../support/fake-edge.ts";
import { eventually } from "../../../support/stack.ts";

let ollama: SimulatedOllama;
let edge: FakeEdge;

beforeAll(async () => {
  const models = ["m:1b", "nomic-embed-text"];
  ollama = await startSimulatedOllama({ models, loadMsPerGb: 0, tokenMs: 1 });
  edge = await FakeEdge.start(ollama.url);
});

afterAll(async () => {
  await edge?.[Symbol.asyncDispose]();
  await ollama?.close();
});

const pin = (pins: Partial<Pin>[]) =>
  edge.send(
    tunnelFrame(FrameType.settings, {
      keep_text: true,
      pins: pins.map((each) => ({
        model: "m:1b",
        context_length: null,
        hours: null,
        time_zone: "UTC",
        ...each,
      })),
    }),
  );

const untilReported = (states: string[]) =>
  eventually(async () => {
    const pins = edge.readings.at(-1)?.pins;
    return JSON.stringify(pins?.map(({ state }) => state)) === JSON.stringify(states);
  });

const loaded = async ({ url } = ollama) => {
  const { models } = (await (await fetch(`${url}/api/ps`)).json()) as {
    models: { name: string; expires_at: string }[];
  };
  return models;
};

test("loads pinned models for a quarter of an hour, and records that as its own work", async () => {
  pin([{}, { model: "nomic-embed-text:latest" }]);
  await untilReported(["loaded", "loaded"]);
  const models = await loaded();
  expect(models.map(({ name }) => name).sort()).toEqual(["m:1b", "nomic-embed-text:latest"]);
  for (const { expires_at } of models) {
    const minutes = (Date.parse(expires_at) - Date.now()) / 60_000;
    expect(minutes).toBeGreaterThan(13);
    expect(minutes).toBeLessThan(16);
  }
  await eventually(async () => edge.records.length === 2);
  for (const record of edge.records)
    expect(record).toMatchObject({
      source: "system",
      status: "success",
      key_id: null,
      client_ip: null,
      prompt: null,
    });
  expect(edge.records.map(({ endpoint }) => endpoint)).toEqual(["/api/generate", "/api/embed"]);
});

test("reports a pin that cannot be carried out, and one that is removed", async () => {
  pin([{ model: "absent:1b" }]);
  await untilReported(["failed"]);
  expect(edge.readings.at(-1)?.pins?.[0]?.reason).toBe("The model is not on this box.");
  pin([]);
  await untilReported([]);
});

test("settings without pins change none", async () => {
  pin([{ hours: { from: 0, to: 24 } }]);
  await untilReported(["loaded"]);
  edge.send(tunnelFrame(FrameType.settings, { keep_text: true }), tunnelFrame(FrameType.watch));
  const before = edge.readings.length;
  await eventually(async () => edge.readings.length > before);
  expect(edge.readings.at(-1)?.pins).toHaveLength(1);
});

test("an agent that starts while the edge is away loads the pins of the run before", async () => {
  const model = "kept:1b";
  const alone = await startSimulatedOllama({ models: [model], loadMsPerGb: 0 });
  const folder = mkdtempSync(join(tmpdir(), "box-keeper-"));
  new KeptPins(folder, () => {}).write([
    { model, context_length: null, hours: null, time_zone: "UTC" },
  ]);
  const config = configOf({
    EDGE_URL: "http://127.0.0.1:9",
    OLLAMA_HOST: alone.url,
    STATE_DIR: folder,
  });
  const agent = await startBox(config, { listen: null }, () => {});
  try {
    await eventually(async () => (await loaded(alone)).some(({ name }) => name === model));
  } finally {
    await agent.stop();
    await alone.close();
    rmSync(folder, { recursive: true });
  }
});

/** The parts of a scrape for the tests of the exposition. */
import type { SinkHealth } from "../../../../protocol/api/fleet.ts";
import { Cell, type KeyedCell } from "../../../../worker/counting/cell.ts";
import type { ScrapeParts } from "../../../../worker/exposition/scrape.ts";
import type { RegisteredBox } from "../../../../worker/registered-box.ts";
import { gpuOf, helloOf, readingsOf, recordOf } from "../../../support/records.ts";

export const NOW = 1_800_000_000_000;

/** A scrape of two boxes, of which one is down. */
export function parts(): ScrapeParts {
  const cells = [
    keyed("llama3.2", "atlas"),
    keyed("mistral", "basil"),
    keyed("", "", { status: "error", endpoint: "/api/tags" }),
  ];
  const atlas = boxOf("atlas");
  const basil = {
    ...boxOf("basil"),
    hello: helloOf("basil", { simulated: true }),
    state: "down" as const,
  };
  const live = [
    { name: "atlas", up: true, in_flight: 2, queue_depth: null },
    { name: "basil", up: false, in_flight: null, queue_depth: null },
  ];
  return {
    nowMs: NOW,
    servedDigest: null,
    version: "0.1.0",
    lifetime: cells,
    boxes: [atlas, basil],
    live,
    sinks: [SINK],
    untrusted: [{ box: "basil", reason: "seal", records: 2 }],
    spent: [],
    versions: [],
    keyCells: [],
    keys: [],
    concerns: [],
  };
}

export const SINK: SinkHealth = {
  sink: "clickhouse",
  state: "failing",
  backlog: 7,
  last_success: new Date(NOW).toISOString(),
  last_error: null,
  next_attempt: null,
  delivered: 40,
  dropped: 2,
  set_aside: 1,
  clearing: false,
};

export function boxOf(name: string): RegisteredBox {
  const readings = readingsOf(NOW, ["llama3.2:latest"], [gpuOf(name, NOW)]);
  return {
    name,
    hello: helloOf(name),
    state: "up",
    connected_at_ms: NOW,
    last_seen_ms: NOW,
    readings,
    readings_at_ms: NOW,
    gpus_at_ms: NOW,
    gpu_energy: [],
  };
}

export function keyed(
  model: string,
  box: string,
  rest: Parameters<typeof recordOf>[1] = {},
): KeyedCell {
  const cell = new Cell();
  cell.add(recordOf(NOW, rest), NOW);
  return { model, box, cell };
}

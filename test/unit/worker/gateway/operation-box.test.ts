import { expect, test } from "vitest";
import { ONLY_HOLDER_MS } from "../../../../protocol/limits.ts";
import type { FleetBox } from "../../../../worker/aggregator/fleet-box.ts";
import {
  homeOf,
  type ModelOperation,
  operationBox,
} from "../../../../worker/gateway/operation-box.ts";
import { knownBoxOf } from "../../../support/fleet-boxes.ts";

const NOW_MS = 1_800_000_000_000;

const box = (name: string, installed: string[] = [], rest: Partial<FleetBox> = {}): FleetBox =>
  knownBoxOf(name, { last_seen_ms: NOW_MS, installed, ...rest });

const CREATE: ModelOperation = {
  endpoint: "/api/create",
  model: "new",
  from: null,
  hasBlobs: true,
};
const BLOB: ModelOperation = { ...CREATE, endpoint: "/api/blobs/:digest", model: null };
const PUSH: ModelOperation = { ...CREATE, endpoint: "/api/push", model: "m", hasBlobs: false };

const boxFor = (operation: ModelOperation, boxes: FleetBox[], client = "key") =>
  operationBox(operation, boxes, (names) => homeOf(client, names), NOW_MS)?.box ?? null;

const CLIENTS = Array.from({ length: 300 }, (_, n) => `192.168.1.${n}`);

test("keeps the upload and the creation of a client on one box, and spreads clients", () => {
  const boxes = [box("atlas"), box("basil"), box("cinder")];
  const homes = CLIENTS.map((client) => {
    const home = boxFor(BLOB, boxes, client);
    expect(boxFor(CREATE, boxes.toReversed(), client)).toBe(home);
    return home;
  });
  for (const { name } of boxes)
    expect(homes.filter((home) => home === name).length).toBeGreaterThan(60);
});

test("moves only the clients of a box that goes", () => {
  const names = ["atlas", "basil", "cinder"];
  for (const client of CLIENTS) {
    const home = homeOf(client, names);
    if (home !== "basil") expect(homeOf(client, ["atlas", "cinder"])).toBe(home);
  }
});

test("stays on a box that restarts, and leaves one that stays away or whose Ollama is dead", () => {
  const home = boxFor(BLOB, [box("atlas"), box("basil")]) ?? "";
  const other = home === "atlas" ? "basil" : "atlas";
  const lost = (ms: number) => box(home, [], { state: "down" as const, last_seen_ms: NOW_MS - ms });
  expect(boxFor(BLOB, [lost(ONLY_HOLDER_MS - 1), box(other)])).toBe(home);
  expect(boxFor(BLOB, [lost(ONLY_HOLDER_MS), box(other)])).toBe(other);
  expect(boxFor(BLOB, [box(home, [], { is_reachable: false }), box(other)])).toBe(other);
});

test("pushes, copies and derives a model where it is", () => {
  const boxes = [box("atlas"), box("basil", ["m:latest"]), box("cinder")];
  for (const client of CLIENTS) {
    expect(boxFor(PUSH, boxes, client)).toBe("basil");
    expect(boxFor({ ...PUSH, endpoint: "/api/copy" }, boxes, client)).toBe("basil");
    expect(boxFor({ ...CREATE, from: "m", hasBlobs: false }, boxes, client)).toBe("basil");
    expect(boxFor({ ...CREATE, from: "m" }, boxes, client)).toBe(boxFor(BLOB, boxes, client));
  }
  expect(boxFor({ ...PUSH, model: "unknown" }, boxes)).toBeNull();
  expect(boxFor({ ...CREATE, from: "unknown", hasBlobs: false }, boxes)).not.toBeNull();
});

test("leaves other calls, and those of a single box, to the ordinary choice", () => {
  const boxes = [box("atlas"), box("basil")];
  expect(boxFor({ ...PUSH, endpoint: "/api/chat" }, boxes)).toBeNull();
  expect(boxFor(BLOB, boxes.slice(0, 1))).toBeNull();
});

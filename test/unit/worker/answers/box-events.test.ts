import { expect, test } from "vitest";
import { eventText } from "../../../../protocol/event-text.ts";
import type { NewEvent } from "../../../../protocol/events.ts";
import type { Readings } from "../../../../protocol/inventory.ts";
import { goneEvents, helloEvents, readingEvents } from "../../../../worker/answers/box-events.ts";
import { PLAIN } from "../../../../worker/answers/wording.ts";
import type { RegisteredBox } from "../../../../worker/registered-box.ts";
import { helloOf, readingsOf } from "../../../support/records.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const BOOT = "0190b5a0-0000-7000-8000-0000000000ff";

const boxWith = (rest: Partial<RegisteredBox> = {}): RegisteredBox => ({
  name: "atlas",
  hello: helloOf("atlas"),
  state: "up",
  connected_at_ms: NOW - 60_000,
  last_seen_ms: NOW - 12_000,
  readings: null,
  readings_at_ms: null,
  gpus_at_ms: null,
  gpu_energy: [],
  ...rest,
});

const textsOf = (events: NewEvent[]) => events.map((event) => eventText(event, PLAIN));

type Inventory = Partial<Readings["inventory"]>;
const readings = (models: string[], loaded: string[], inventory: Inventory = {}): Readings => {
  const read = readingsOf(NOW, models, [], loaded);
  return { ...read, inventory: { ...read.inventory, ...inventory } };
};
const between = (before: Readings | null, next: Readings): string[] =>
  textsOf(readingEvents(boxWith({ readings: before }), next));

const HELLOS: [name: string, before: RegisteredBox | null, hello: object, expected: string][] = [
  ["the first one", null, {}, "Box atlas connected for the first time"],
  [
    "a cut tunnel",
    boxWith({ state: "down" }),
    {},
    "Box atlas has its tunnel again after 12 s: no request was lost",
  ],
  [
    "a cut that the edge did not notice",
    boxWith(),
    {},
    "Box atlas has its tunnel again: no request was lost",
  ],
  [
    "another start of the agent",
    boxWith({ state: "down" }),
    { boot_id: BOOT },
    "Box atlas has a new start of its agent after 12 s",
  ],
  [
    "another version of the agent",
    boxWith({ state: "down" }),
    { boot_id: BOOT, agent_version: "0.2.0" },
    "Box atlas updated its agent from 0.1.0 to 0.2.0",
  ],
  [
    "another build of the same version of the agent",
    boxWith({ hello: helloOf("atlas", { agent_sha256: "a1".repeat(32) }), state: "down" }),
    { boot_id: BOOT, agent_sha256: "b2".repeat(32) },
    "Box atlas updated its agent from 0.1.0+a1a1a1a1 to 0.1.0+b2b2b2b2",
  ],
  [
    "another start of an agent whose build was not known before",
    boxWith({ state: "down" }),
    { boot_id: BOOT, agent_sha256: "b2".repeat(32) },
    "Box atlas has a new start of its agent after 12 s",
  ],
];
test.each(HELLOS)("the hello after %s is one event", (_, before, rest, expected) => {
  expect(textsOf(helloEvents(before, helloOf("atlas", rest), NOW))).toEqual([expected]);
});

test("a tunnel that ends while the agent drains was planned", () => {
  expect(textsOf(goneEvents(boxWith()))).toEqual(["Box atlas lost its tunnel"]);
  expect(textsOf(goneEvents(boxWith({ state: "draining" })))).toEqual([
    "Box atlas disconnected because its agent was stopped",
  ]);
});

test("the first readings of a box are no event", () => {
  expect(between(null, readings(["a:latest"], ["a:latest"]))).toEqual([]);
});

test("readings that repeat themselves are no event, with and without the default tag", () => {
  expect(between(readings(["a"], ["a"]), readings(["a:latest"], ["a:latest"]))).toEqual([]);
});

test("models that come and go on disk and in memory are events", () => {
  expect(between(readings(["a", "b"], ["a"]), readings(["b", "c"], ["b"]))).toEqual([
    "c:latest on atlas was pulled",
    "a:latest on atlas was deleted from the disk",
    "a:latest on atlas was unloaded",
    "b:latest on atlas was loaded",
  ]);
});

test("an Ollama that is lost unloads and deletes nothing", () => {
  const up = readings(["a"], ["a"]);
  const away = readings([], [], { reachable: false, error: "connection refused" });
  expect(between(up, away)).toEqual(["Box atlas cannot reach its Ollama: connection refused"]);
  expect(between(away, away)).toEqual([]);
  expect(between(away, readings(["a"], [], { ollama_version: "0.14.0" }))).toEqual([
    "Box atlas reaches its Ollama again",
    "Box atlas updated its Ollama from 0.13.0 to 0.14.0",
  ]);
});

test("another build of a model is a pull, and an unknown digest is not", () => {
  const withDigest = (digest: string | null): Readings => {
    const read = readings(["a"], []);
    return {
      ...read,
      inventory: {
        ...read.inventory,
        models: read.inventory.models.map((model) => ({ ...model, digest })),
      },
    };
  };
  expect(between(withDigest("1"), withDigest("2"))).toEqual(["a:latest on atlas was pulled"]);
  expect(between(withDigest(null), withDigest("2"))).toEqual([]);
});

test("a load states its size, its context and the part on the CPU", () => {
  const loaded = (context_length: number): Inventory => ({
    loaded: [
      {
        name: "a:latest",
        size_bytes: 8e9,
        size_vram_bytes: 6e9,
        context_length,
        expires_at: null,
      },
    ],
  });
  expect(between(readings(["a"], []), readings(["a"], [], loaded(4_096)))).toEqual([
    "a:latest on atlas was loaded (8 GB, context 4096, 25 % on the CPU)",
  ]);
  expect(between(readings(["a"], [], loaded(4_096)), readings(["a"], [], loaded(8_192)))).toEqual([
    "a:latest on atlas was loaded again with context 8192 instead of 4096",
  ]);
});

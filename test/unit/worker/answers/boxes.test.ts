import { expect, test } from "vitest";
import { boxesState, boxHealth } from "../../../../worker/answers/boxes.ts";
import type { RegisteredBox } from "../../../../worker/registered-box.ts";
import { VERSION } from "../../../../worker/version.ts";
import { helloOf, readingsOf } from "../../../support/records.ts";

const NOW = 1_800_000_000_000;

function boxOf(readings: Partial<RegisteredBox["readings"]> = {}, skewMs = 0): RegisteredBox {
  return {
    name: "atlas",
    hello: helloOf("atlas", { now_ms: NOW + skewMs }),
    state: "up",
    connected_at_ms: NOW,
    last_seen_ms: NOW,
    readings: { ...readingsOf(NOW, []), ...readings, now_ms: NOW + skewMs },
    readings_at_ms: NOW,
    gpus_at_ms: null,
    gpu_energy: [],
  };
}

test("a box that is up shows its lost records, and null if its agent does not report them", () => {
  const live = (up: boolean) => [{ name: "atlas", up, in_flight: 0, queue_depth: 0 }];
  const lostOf = (box: RegisteredBox, up: boolean) =>
    boxesState([box], live(up), NOW).boxes[0]?.lost;
  expect([
    lostOf(boxOf({ lost: 2 }), true),
    lostOf(boxOf({ lost: null }), true),
    lostOf(boxOf({ lost: 2 }), false),
  ]).toEqual([2, null, null]);
});

test("an agent of another version than the edge shows as such, whether it is up or not", () => {
  const of = (agent_version: string, isUp: boolean) => {
    const { agent_current } = boxHealth(
      { ...boxOf(), hello: helloOf("atlas", { agent_version }) },
      isUp,
      null,
    );
    return agent_current;
  };
  expect([of(VERSION, true), of("0.0.9", true), of("99.0.0", false)]).toEqual([true, false, false]);
});

const SERVED = "ab".repeat(32);
const OTHER = "cd".repeat(32);

test.each([
  ["the content that the edge serves", VERSION, SERVED, SERVED, true, "same"],
  ["another content of the edge's version", VERSION, OTHER, SERVED, false, "other"],
  ["another version", "0.0.9", OTHER, SERVED, false, "other"],
  ["an unknown content, as a single executable has", VERSION, null, SERVED, true, null],
  ["no digest, as an older agent has", VERSION, undefined, SERVED, true, null],
  ["a digest, while the edge's is unknown", VERSION, OTHER, null, true, null],
] as const)("an agent with %s", (_name, agent_version, digest, served, current, build) => {
  const content = digest === undefined ? {} : { agent_sha256: digest };
  const box = { ...boxOf(), hello: helloOf("atlas", { agent_version, ...content }) };
  expect(boxHealth(box, true, served)).toMatchObject({
    agent_current: current,
    agent_build: build,
  });
});

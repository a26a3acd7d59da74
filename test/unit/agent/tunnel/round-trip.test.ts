import { expect, test } from "vitest";
import { RoundTrip } from "../../../../agent/tunnel/round-trip.ts";

type Beat = ["ping" | "pong", atMs: number];

const CASES: [name: string, beats: Beat[], ms: number | null][] = [
  ["nothing before the first pong", [["ping", 0]], null],
  [
    "one heartbeat",
    [
      ["ping", 10],
      ["pong", 52.25],
    ],
    42.25,
  ],
  [
    "the newest of several heartbeats",
    [
      ["ping", 0],
      ["pong", 40],
      ["ping", 1_000],
      ["pong", 1_030],
    ],
    30,
  ],
  [
    "the last heartbeat while the next is on its way",
    [
      ["ping", 0],
      ["pong", 40],
      ["ping", 1_000],
    ],
    40,
  ],
  [
    "a pong as the answer to the oldest ping",
    [
      ["ping", 0],
      ["ping", 1_000],
      ["pong", 1_500],
    ],
    1_500,
  ],
  [
    "one of several pings that overtake their pongs",
    [
      ["ping", 0],
      ["ping", 1_000],
      ["pong", 1_500],
      ["pong", 1_600],
    ],
    1_500,
  ],
  [
    "the next ping after those",
    [
      ["ping", 0],
      ["ping", 1_000],
      ["pong", 1_500],
      ["ping", 2_000],
      ["pong", 2_001],
      ["pong", 2_100],
    ],
    100,
  ],
  ["nothing at a pong without a ping", [["pong", 5]], null],
];

test.each(CASES)("measures %s", (_name, beats, ms) => {
  const roundTrip = new RoundTrip();
  for (const [beat, atMs] of beats) {
    if (beat === "ping") roundTrip.pinged(atMs);
    else roundTrip.ponged(atMs);
  }
  expect(roundTrip.ms).toBe(ms);
});

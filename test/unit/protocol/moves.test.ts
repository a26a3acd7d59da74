import { expect, test } from "vitest";
import { type Move, movedFromOf, movesIn } from "../../../protocol/moves.ts";

const MOVES: Move[] = [
  { box: "atlas", reason: "ollama_unreachable", ms: 12.4 },
  { box: "basil-2.lan", reason: "no_answer", ms: 4_000 },
];

test("the moves of a request are one text, which can be read back", () => {
  const text = "atlas:ollama_unreachable:12ms,basil-2.lan:no_answer:4000ms";
  expect(movedFromOf(MOVES)).toBe(text);
  expect(movesIn(text)).toEqual(MOVES.map((move) => ({ ...move, ms: Math.round(move.ms) })));
});

test("a request that never moved has no such text", () => {
  expect([movedFromOf([]), movesIn(null), movesIn("anything else")]).toEqual([null, [], []]);
});

import { expect, test } from "vitest";
import {
  noteUnreachable,
  type UnreachableBoxes,
  withUnreachable,
} from "../../../../worker/gateway/known-boxes.ts";
import { knownBoxOf } from "../../../support/fleet-boxes.ts";

const FAILED_MS = 1_000;

/** Returns which boxes can be reached, by a fleet that is read after both had failed. */
function readAfter(unreachable: UnreachableBoxes, readingsAtMs: number | null, names = ["a", "b"]) {
  const boxes = names.map((name) => knownBoxOf(name, { readings_at_ms: readingsAtMs }));
  return withUnreachable(boxes, unreachable).map((box) => box.is_reachable);
}

function bothFailed(): UnreachableBoxes {
  const unreachable: UnreachableBoxes = new Map();
  noteUnreachable(unreachable, "a", "ollama_unreachable", FAILED_MS);
  noteUnreachable(unreachable, "b", "no_answer", FAILED_MS);
  return unreachable;
}

test.each([null, FAILED_MS - 1, FAILED_MS])(
  "a box that could not reach its Ollama stays out while its newest readings are of %s",
  (readingsAtMs) => {
    const unreachable = bothFailed();
    expect(readAfter(unreachable, readingsAtMs)).toEqual([false, false]);
    expect(readAfter(unreachable, readingsAtMs)).toEqual([false, false]);
  },
);

test("newer readings of a box, or its end, replace its failure once and for all", () => {
  const unreachable = bothFailed();
  expect(readAfter(unreachable, FAILED_MS + 1, ["a"])).toEqual([true]);
  expect(readAfter(unreachable, FAILED_MS - 1)).toEqual([true, true]);
});

test("a failure that is not that of Ollama's address takes no box out of later fleets", () => {
  const unreachable: UnreachableBoxes = new Map();
  noteUnreachable(unreachable, "a", "http_500", FAILED_MS);
  noteUnreachable(unreachable, "b", "tunnel_lost", FAILED_MS);
  expect(readAfter(unreachable, null)).toEqual([true, true]);
});

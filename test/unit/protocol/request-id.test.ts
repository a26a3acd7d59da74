import { expect, test } from "vitest";
import * as z from "zod";
import { newRequestId } from "../../../protocol/request-id.ts";

test("makes UUIDv7 request ids that sort by time", () => {
  const atMs = Date.parse("2026-11-23T12:00:00.000Z");
  const ids = Array.from({ length: 100 }, (_, i) => newRequestId(atMs + i));
  for (const [i, id] of ids.entries()) {
    expect(z.uuidv7().safeParse(id).success, id).toBe(true);
    expect(Number.parseInt(id.replace("-", "").slice(0, 12), 16)).toBe(atMs + i);
  }
  expect(ids).toEqual(ids.toSorted());
  expect(new Set(ids).size).toBe(100);
});

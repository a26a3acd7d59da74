/** Each endpoint has one kind. */
import { expect, test } from "vitest";
import { CALL_KINDS, callKindOf, endpointsOf } from "../../../protocol/call-kind.ts";
import { OLLAMA_ROUTES } from "../../../protocol/routes.ts";

test("every endpoint has a kind, and is among the endpoints of that kind only", () => {
  for (const { path } of OLLAMA_ROUTES) {
    const kinds = CALL_KINDS.filter((kind) => endpointsOf(kind).includes(path));
    expect([path, kinds]).toEqual([path, [callKindOf(path)]]);
  }
});

test("an endpoint of a later version has no kind", () => {
  expect(callKindOf("/v2/dreams")).toBeNull();
});

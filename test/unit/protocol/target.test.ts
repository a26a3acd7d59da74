import { expect, test } from "vitest";
import { aim, apiOf } from "../../../protocol/target.ts";

test("resolves a known path to its route, with the model in the path", () => {
  expect(aim("GET", "/v1/models/llama3.2%3A1b")).toMatchObject({
    ok: true,
    target: { model: "llama3.2:1b", route: { path: "/v1/models/:model" } },
  });
});

const REFUSED: [method: string, path: string, reason: string][] = [
  ["GET", "/nope", "no_route"],
  ["POST", "/api/%64elete", "no_route"],
  ["GET", "/api/chat", "wrong_method"],
  ["GET", "/v1/models/gpt-oss:120b-cloud", "cloud_model"],
];

test.each(REFUSED)("refuses %s %s with %s", (method, path, reason) => {
  expect(aim(method, path)).toMatchObject({ ok: false, failure: { reason } });
});

test.each([
  ["/", "ollama"],
  ["/api/chat", "ollama"],
  ["/v1", "openai"],
  ["/v1/nope", "openai"],
  ["/v1x", "ollama"],
  ["/v1/messages", "anthropic"],
])("gives errors on %s the shape of %s", (path, api) => expect(apiOf(path)).toBe(api));

import { exports } from "cloudflare:workers";
import { expect, test } from "vitest";

test("serves the API's description without a key, and its page under a strict policy", async () => {
  const json = await exports.default.fetch("https://edge.example/api/openapi.json");
  expect(json.status).toBe(200);
  expect(await json.json()).toMatchObject({ openapi: "3.1.1" });
  const page = await exports.default.fetch("https://edge.example/api/docs");
  expect(page.headers.get("content-type")).toMatch(/^text\/html/);
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(await page.text()).toContain("/api/stats/history");
});

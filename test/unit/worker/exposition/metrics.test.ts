import { expect, test } from "vitest";
import type { Family } from "../../../../worker/exposition/family.ts";
import { METRICS } from "../../../../worker/exposition/metrics.ts";

/** The seed fixed this name. All other metrics are in base units. */
const MANDATED_UNITS = new Set(["ollama_request_latency_ms"]);

test.each(Object.values(METRICS))(
  "$name follows the naming rules of Prometheus",
  (family: Family) => {
    const { name, type, help, labels, buckets } = family;
    expect(name).toMatch(/^ollama_[a-z0-9_]+$/);
    expect(name.endsWith("_total")).toBe(type === "counter");
    if (!MANDATED_UNITS.has(name))
      expect(name).not.toMatch(
        /_(ms|us|ns|sec|kb|mb|gb|mib|milliseconds|percent|mhz|celcius)(_|$)/,
      );
    expect(name).not.toMatch(/_(counter|gauge|histogram|bucket|sum|count)$/);
    expect(help).toMatch(/^[A-Z0-9][^\n\\"]*\.$/);
    expect(labels).not.toContain("le");
    expect(buckets !== undefined).toBe(type === "histogram");
  },
);

test("every family is declared once", () => {
  const names = Object.values(METRICS).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

test("the documented names and edges exist", () => {
  expect(METRICS.requests).toMatchObject({ name: "ollama_requests_total", labels: [] });
  expect(METRICS.tokens).toMatchObject({ name: "ollama_tokens_generated_total", labels: [] });
  expect(METRICS.errors).toMatchObject({ name: "ollama_errors_total", labels: [] });
  expect(METRICS.latency).toMatchObject({
    name: "ollama_request_latency_ms",
    type: "histogram",
    labels: ["model"],
  });
  expect(METRICS.latency.buckets).toEqual(expect.arrayContaining([100, 500, 1_000, 5_000]));
});

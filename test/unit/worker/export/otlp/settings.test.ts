import { expect, test } from "vitest";
import { storeSettingsOf } from "../../../../../worker/export/settings.ts";

const BASE = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.example:4318" };
const otlpOf = (variables: Record<string, string>) => storeSettingsOf(variables).otlp;

test("sends nothing without an address", () => {
  expect(otlpOf({})).toEqual({ traces: null, metrics: null });
});

test.each([
  ["https://collector.example:4318", "https://collector.example:4318/v1/traces"],
  ["https://collector.example/", "https://collector.example/v1/traces"],
  ["https://collector.example/otlp/", "https://collector.example/otlp/v1/traces"],
  ["https://collector.example/otlp?tenant=1", "https://collector.example/otlp/v1/traces?tenant=1"],
])("appends the path of a signal to %s", (OTEL_EXPORTER_OTLP_ENDPOINT, url) => {
  const { traces, metrics } = otlpOf({ OTEL_EXPORTER_OTLP_ENDPOINT });
  expect(traces?.url).toBe(url);
  expect(metrics?.url).toBe(url.replace("v1/traces", "v1/metrics"));
});

test("takes the address of one signal as it is, and sends no other", () => {
  const url = "http://prometheus:9090/api/v1/otlp/v1/metrics";
  const { traces, metrics } = otlpOf({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: url });
  expect([traces, metrics?.url]).toEqual([null, url]);
});

test("decodes headers, and gives a signal its own in place of the shared ones", () => {
  const { traces, metrics } = otlpOf({
    ...BASE,
    OTEL_EXPORTER_OTLP_HEADERS: "Authorization=Bearer%20abc=, x-scope-orgid = 7 ,",
    OTEL_EXPORTER_OTLP_METRICS_HEADERS: "api-key=other",
    OTEL_SERVICE_NAME: "home",
  });
  expect(traces?.headers).toEqual({ authorization: "Bearer abc=", "x-scope-orgid": "7" });
  expect(metrics?.headers).toEqual({ "api-key": "other" });
  expect(traces?.service).toBe("home");
});

const SECRET = "s3cret";
test.each([
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "is not of the form https://host:port"],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", SECRET, "is not a URL"],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", `https://u:${SECRET}@c.example`, "must not contain a user"],
  ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", `grpc://${SECRET}`, "is not of the form"],
  ["OTEL_EXPORTER_OTLP_HEADERS", SECRET, "must be a list of name=value"],
  ["OTEL_EXPORTER_OTLP_HEADERS", `a=%zz${SECRET}`, "must be a list of name=value"],
  ["OTEL_EXPORTER_OTLP_HEADERS", `a=${SECRET}%0d%0ab`, "must be a list of name=value"],
  ["OTEL_EXPORTER_OTLP_HEADERS", `host=${SECRET}`, "must not set the header host"],
  ["OTEL_EXPORTER_OTLP_HEADERS", `a=1,A=${SECRET}`, "must name the header a only once"],
])("refuses %s=%s without repeating it", (name, value, message) => {
  const parse = () => storeSettingsOf({ [name]: value });
  expect(parse).toThrow(message);
  expect(parse).toThrow(name);
  expect(parse).not.toThrow(SECRET);
});

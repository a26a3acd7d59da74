import { expect, test } from "vitest";
import type { RequestRecord } from "../../../../../protocol/records.ts";
import { OLLAMA_ROUTES } from "../../../../../protocol/routes.ts";
import { type OtlpSpan, spansOf } from "../../../../../worker/export/otlp/spans.ts";
import { requestRow } from "../../../../../worker/export/rows.ts";
import { recordOf } from "../../../../support/records.ts";

const NOW = Date.UTC(2026, 10, 24, 12);
const ID = "019ab5a0-1234-7abc-9def-0123456789ab";

const spansOfRecord = (rest: Partial<RequestRecord> = {}): OtlpSpan[] =>
  spansOf(requestRow(recordOf(NOW, { request_id: ID, ...rest }), NOW + 1_250));

function requestSpan(rest: Partial<RequestRecord> = {}) {
  const [span] = spansOfRecord(rest);
  if (span === undefined) throw new Error("a request makes a span");
  const values = span.attributes.map(({ key, value }) => [key, Object.values(value)[0]] as const);
  return { ...span, attributes: new Map(values) };
}

test("a request is a span whose ids, name and times follow from its record", () => {
  expect(requestSpan()).toMatchObject({
    traceId: "019ab5a012347abc9def0123456789ab",
    spanId: "9def0123456789ab",
    name: "chat llama3.2",
    kind: 2,
    startTimeUnixNano: `${NOW}000000`,
    endTimeUnixNano: `${NOW + 1_250}000000`,
  });
  expect(spansOfRecord()).toEqual(spansOfRecord());
});

test("phases are spans below it, end to end, with fractions of a millisecond", () => {
  const [request, ...phases] = spansOfRecord({ edge_ms: 4, tunnel_ms: null, queue_ms: 0.5 });
  expect(phases.map(({ name }) => name)).toEqual(["edge", "queue", "load", "prefill", "decode"]);
  const start = BigInt(NOW) * 1_000_000n;
  const offsets = phases.map((span) => [
    Number(BigInt(span.startTimeUnixNano) - start) / 1e6,
    Number(BigInt(span.endTimeUnixNano) - start) / 1e6,
  ]);
  expect(offsets).toEqual([
    [0, 4],
    [4, 4.5],
    [4.5, 6.5],
    [6.5, 156.5],
    [156.5, 1_156.5],
  ]);
  for (const phase of phases)
    expect(phase).toMatchObject({ traceId: request?.traceId, parentSpanId: request?.spanId });
});

test("all spans of a request have ids of their own, of 8 bytes that are not all zero", () => {
  const ids = spansOfRecord().map(({ spanId }) => spanId);
  expect(ids).toHaveLength(7);
  expect(new Set(ids).size).toBe(7);
  for (const id of ids) expect(id).toMatch(/^(?!0+$)[0-9a-f]{16}$/);
});

test("phases that exceed the latency are shortened to fit", () => {
  const [request, ...phases] = spansOfRecord({ latency_ms: 500 });
  expect(phases.at(-1)?.endTimeUnixNano).toBe(request?.endTimeUnixNano);
});

test("unknown figures are left out, and a measured 0 is sent", () => {
  const { attributes } = requestSpan({ prompt_tokens: null, completion_tokens: 0, energy_j: 0 });
  expect(attributes.has("gen_ai.usage.input_tokens")).toBe(false);
  expect(attributes.get("gen_ai.usage.output_tokens")).toBe("0");
  expect(attributes.get("ollama_edge.energy")).toBe(0);
});

test.each<[Partial<RequestRecord>, string]>([
  [{ http_status: 503, failed_at: "gateway" }, "503"],
  [{ http_status: 200, failed_at: "ollama" }, "ollama"],
  [{ http_status: 200, failed_at: null }, "_OTHER"],
])("a failure has a status and a type: %j", (rest, type) => {
  const span = requestSpan({ status: "error", ...rest });
  expect(span.status).toEqual({ code: 2 });
  expect(span.attributes.get("error.type")).toBe(type);
});

test("a request that its caller left is no error", () => {
  const span = requestSpan({ status: "cancelled", http_status: 499 });
  expect([span.status, span.attributes.has("error.type")]).toEqual([undefined, false]);
  expect(span.attributes.get("ollama_edge.status")).toBe("cancelled");
});

test("texts and messages of errors are never sent", () => {
  const text = "a secret text";
  const spans = spansOfRecord({ prompt: text, response: text, error_message: text });
  expect(JSON.stringify(spans)).not.toContain(text);
});

test("simulated requests are labelled", () => {
  expect(requestSpan({ simulated: true }).attributes.get("ollama_edge.simulated")).toBe(true);
});

test.each([
  ["/api/chat", "chat"],
  ["/v1/messages", "chat"],
  ["/v1/responses", "chat"],
  ["/api/generate", "text_completion"],
  ["/v1/embeddings", "embeddings"],
  ["/v1/images/generations", "generate_content"],
  ["/api/tags", undefined],
])("%s is the operation %s", (endpoint, operation) => {
  const span = requestSpan({ endpoint, model: operation === undefined ? null : "llama3.2" });
  expect(span.attributes.get("gen_ai.operation.name")).toBe(operation);
  expect(span.name).toBe(operation === undefined ? endpoint : `${operation} llama3.2`);
});

test("every route has a name", () => {
  for (const { path } of OLLAMA_ROUTES) expect(requestSpan({ endpoint: path }).name).not.toBe("");
});

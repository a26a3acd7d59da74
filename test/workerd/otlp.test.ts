/**
 * Deliveries to a collector of OpenTelemetry: every request and sample arrives, and a repetition is the
 * same. The receiver is a real HTTP server, which behaves as the name of its path demands.
 */
import { afterEach, beforeEach, expect, inject, test, vi } from "vitest";
import { openOtlpSinks } from "../../worker/export/otlp/sinks.ts";
import { storeSettingsOf } from "../../worker/export/settings.ts";
import { Edge, onFreshStorage } from "../stores/edge.ts";
import type { Received } from "../support/received.ts";
import { gpuOf, recordOf, systemOf } from "../support/records.ts";

const NOW = Date.UTC(2026, 10, 24, 12);
const CREATED = NOW - 3_600_000;

type Signal = "traces" | "metrics";
type Span = { spanId: string; parentSpanId?: string };
type Body = {
  resourceSpans?: { scopeSpans: { spans: Span[] }[] }[];
  resourceMetrics?: { scopeMetrics: { metrics: Metric[] }[] }[];
};
type Point = { timeUnixNano: string; asDouble?: number; asInt?: string };
type Metric = { name: string; gauge?: { dataPoints: Point[] }; sum?: { dataPoints: Point[] } };

/** A collector that behaves like this for one signal, and what it got. */
function collector(signal: Signal, behaviour: string) {
  const path = crypto.randomUUID();
  const received = async (): Promise<Received[]> =>
    (await fetch(`${inject("receiver")}/received/${path}`)).json();
  return {
    url: `${inject("receiver")}/${behaviour}/${path}/v1/${signal}`,
    received,
    bodies: async () => (await received()).map(({ body }) => JSON.parse(body) as Body),
  };
}

function edgeTo(storage: DurableObjectStorage, urls: Partial<Record<Signal, string>>): Edge {
  const { otlp } = storeSettingsOf({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: urls.traces,
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: urls.metrics,
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20key",
  });
  const sinks = openOtlpSinks(otlp, () => ({
    cells: edge.lifetime(),
    sinceMs: CREATED,
    atMs: edge.nowMs,
    simulatedBoxes: new Set(),
  }));
  const edge: Edge = new Edge(storage, sinks, NOW);
  return edge;
}

const records = (count: number) =>
  Array.from({ length: count }, (_, n) => recordOf(NOW - 60_000, {}, n));
const spansIn = ({ resourceSpans = [] }: Body): Span[] =>
  resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
const requestsIn = (bodies: Body[]): string[] =>
  bodies.flatMap(spansIn).flatMap((span) => (span.parentSpanId === undefined ? span.spanId : []));
const metricsIn = ({ resourceMetrics = [] }: Body): Metric[] =>
  resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
/** Returns the values and times of each reading of a GPU or a machine. */
const readingsIn = (bodies: Body[]): Record<string, [value: number, at: string][]> => {
  const metrics = bodies.flatMap(metricsIn).filter(({ name }) => /^(hw|system)\./.test(name));
  const pointsOf = ({ gauge, sum }: Metric) =>
    (gauge ?? sum)?.dataPoints.map(({ asDouble, asInt, timeUnixNano }): [number, string] => [
      asDouble ?? Number(asInt),
      new Date(Number(timeUnixNano) / 1e6).toISOString(),
    ]) ?? [];
  const byName = Object.entries(Object.groupBy(metrics, ({ name }) => name));
  return Object.fromEntries(byName.map(([name, of = []]) => [name, of.flatMap(pointsOf)]));
};
const healthOf = (edge: Edge, signal: Signal) =>
  edge.deliveries.health().find(({ sink }) => sink === `otlp_${signal}`);

/** A collector that hangs is given up after a hundredth of the time. */
beforeEach(() => {
  const { setTimeout } = globalThis;
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((work: () => void, ms = 0) =>
    setTimeout(work, ms >= 10_000 ? ms / 100 : ms)) as typeof setTimeout);
});
afterEach(() => void vi.restoreAllMocks());

test.each(["works", "fails", "limits", "hangs", "breaks", "redirects", "warns"])(
  "every request and sample arrives at a collector that %s",
  (behaviour) =>
    onFreshStorage(async (storage) => {
      const [traces, metrics] = [collector("traces", behaviour), collector("metrics", behaviour)];
      const edge = edgeTo(storage, { traces: traces.url, metrics: metrics.url });
      edge.add(records(3));
      edge.addSamples("atlas", [gpuOf("atlas", NOW)], [systemOf(NOW)]);
      await edge.drain();
      expect(new Set(requestsIn(await traces.bodies())).size).toBe(3);
      const names = (await metrics.bodies()).flatMap(metricsIn).map(({ name }) => name);
      expect(names).toEqual(
        expect.arrayContaining([
          "gen_ai.server.request.duration",
          "hw.power",
          "system.memory.usage",
        ]),
      );
      expect(healthOf(edge, "traces")).toMatchObject({ state: "ok", delivered: 3, set_aside: 0 });
      expect(healthOf(edge, "metrics")).toMatchObject({ state: "ok", delivered: 5, set_aside: 0 });
      const [first] = await traces.received();
      expect(first?.headers).toMatchObject({
        authorization: "Bearer key",
        "content-type": "application/json",
      });
    }),
);

test("each reading of a GPU and of a machine arrives with its value and the time of its sample", () =>
  onFreshStorage(async (storage) => {
    const metrics = collector("metrics", "works");
    const edge = edgeTo(storage, { metrics: metrics.url });
    const [first, second] = [NOW - 60_000, NOW];
    edge.addSamples(
      "atlas",
      [
        gpuOf("atlas", first, { fan_percent: 40 }),
        gpuOf("atlas", second, { fan_percent: null, power_draw_w: 70, utilization_percent: null }),
      ],
      [systemOf(first), systemOf(second, { cpu_percent: 50 })],
    );
    await edge.drain();
    const at = [first, second].map((ms) => new Date(ms).toISOString());
    const both = (one: number, two = one) => [
      [one, at[0]],
      [two, at[1]],
    ];
    const [gib, mib] = [2 ** 30, 2 ** 20];
    // An unknown reading has no point.
    expect(readingsIn(await metrics.bodies())).toEqual({
      "hw.gpu.utilization": [[0.75, at[0]]],
      "hw.gpu.memory.usage": both(8_192 * mib),
      "hw.gpu.memory.limit": both(24_576 * mib),
      "hw.gpu.memory.utilization": both(1 / 3),
      "hw.power": both(280, 70),
      "hw.temperature": both(65),
      "hw.fan.speed_ratio": [[expect.closeTo(0.4), at[0]]],
      "system.cpu.utilization": both(0.25, 0.5),
      "system.cpu.logical.count": both(16),
      "system.memory.usage": both(16 * gib),
      "system.memory.limit": both(64 * gib),
      "system.filesystem.usage": both(400 * gib),
      "system.filesystem.limit": both(1_000 * gib),
    });
  }));

test("a repetition has the same spans", () =>
  onFreshStorage(async (storage) => {
    const traces = collector("traces", "breaks");
    const edge = edgeTo(storage, { traces: traces.url });
    edge.add(records(2));
    await edge.drain();
    const bodies = (await traces.received()).map(({ body }) => body);
    expect([bodies.length, new Set(bodies).size]).toEqual([3, 1]);
  }));

test("an edge that was killed while it sent sends the same spans again", () =>
  onFreshStorage(async (storage) => {
    const traces = collector("traces", "fails");
    const killed = edgeTo(storage, { traces: traces.url });
    killed.add(records(2));
    await killed.flush();
    const next = edgeTo(storage, { traces: traces.url });
    next.nowMs = NOW + 60_000;
    await next.drain();
    const bodies = (await traces.received()).map(({ body }) => body);
    expect([bodies.length, new Set(bodies).size]).toEqual([4, 1]);
    expect(healthOf(next, "traces")).toMatchObject({ delivered: 2 });
  }));

test("a collector that names a pause is left alone for it", () =>
  onFreshStorage(async (storage) => {
    const traces = collector("traces", "limits");
    const edge = edgeTo(storage, { traces: traces.url });
    edge.add(records(1));
    await edge.flush();
    expect(healthOf(edge, "traces")?.next_attempt).toBe(new Date(NOW + 90_000).toISOString());
  }));

test("rejected spans are set aside, shown, and not sent again", () =>
  onFreshStorage(async (storage) => {
    const traces = collector("traces", "partly");
    const edge = edgeTo(storage, { traces: traces.url });
    edge.add(records(3));
    await edge.drain();
    expect(healthOf(edge, "traces")).toMatchObject({ delivered: 1, set_aside: 2, state: "ok" });
    expect(edge.problems().join()).toContain("rejected 2 of 21 spans");
    expect(await traces.received()).toHaveLength(1);
  }));

test("one request that a collector refuses does not hold up the others", () =>
  onFreshStorage(async (storage) => {
    const traces = collector("traces", "picky");
    const edge = edgeTo(storage, { traces: traces.url });
    const [first, second, ...rest] = records(6);
    edge.add([first, { ...second, model: "poison" }, ...rest].map((each) => recordOf(NOW, each)));
    await edge.drain();
    expect(healthOf(edge, "traces")).toMatchObject({ delivered: 5, set_aside: 1, state: "ok" });
  }));

test("nothing is lost while a collector refuses the credentials", () =>
  onFreshStorage(async (storage) => {
    const traces = collector("traces", "forbids");
    const edge = edgeTo(storage, { traces: traces.url });
    edge.add(records(3));
    await edge.flush();
    expect(healthOf(edge, "traces")).toMatchObject({
      state: "failing",
      backlog: 3,
      set_aside: 0,
      last_error: { message: "answered HTTP 401: check OTEL_EXPORTER_OTLP_HEADERS" },
    });
  }));

test("traces arrive while metrics do not, and the other way round", () =>
  onFreshStorage(async (storage) => {
    const [traces, metrics] = [collector("traces", "works"), collector("metrics", "forbids")];
    const edge = edgeTo(storage, { traces: traces.url, metrics: metrics.url });
    edge.add(records(3));
    await edge.flush();
    expect(healthOf(edge, "traces")).toMatchObject({ state: "ok", backlog: 0 });
    expect(healthOf(edge, "metrics")).toMatchObject({ state: "failing", backlog: 3 });
  }));

test("kinds that a signal does not have pass it by, without a request", () =>
  onFreshStorage(async (storage) => {
    const traces = collector("traces", "works");
    const edge = edgeTo(storage, { traces: traces.url });
    edge.addSamples("atlas", [gpuOf("atlas", NOW)], [systemOf(NOW)]);
    await edge.drain();
    expect(healthOf(edge, "traces")).toMatchObject({ backlog: 0, delivered: 0 });
    expect(await traces.received()).toEqual([]);
  }));

test("clearing data here leaves the collector alone", () =>
  onFreshStorage(async (storage) => {
    const traces = collector("traces", "forbids");
    const edge = edgeTo(storage, { traces: traces.url });
    edge.add(records(3));
    edge.clear({ logs: true, metrics: true });
    expect(healthOf(edge, "traces")).toMatchObject({ clearing: false, backlog: 0 });
    expect(await edge.deliveries.clear(() => NOW)).toEqual([]);
  }));

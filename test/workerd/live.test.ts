/** `/api/live`: the current state, once and as a stream. */
import { env, exports } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { Live } from "../../protocol/api/live.ts";
import { FrameType, tunnelFrame } from "../../protocol/frames.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { idOf, readingsOf, recordOf } from "../support/records.ts";
import { FakeAgent } from "./fake-agent.ts";

const NOW = Date.now();
const call = (query = "", headers: Record<string, string> = {}) =>
  exports.default.fetch(`http://localhost/api/live${query}`, { headers });

beforeAll(async () => {
  await aggregatorOf(env).ingest([
    recordOf(NOW - 60_000, { latency_ms: 2_000 }),
    recordOf(NOW - 50_000, { latency_ms: 2_000, status: "error" }),
    recordOf(NOW - 3_600_000, { status: "error" }),
  ]);
});

test("an edge without a box has no_box as its only concern", async () => {
  const live = Live.parse(await (await call()).json());
  expect(live).toMatchObject({
    boxes: [],
    in_flight: [],
    health: { status: "degraded", concerns: [{ code: "no_box", subject: { kind: "edge" } }] },
    stats: { total_requests: 3 },
  });
});

test("the last minutes are separate from all time", async () => {
  const { recent } = Live.parse(await (await call()).json());
  expect(recent).toMatchObject({ minutes: 5, requests: 2, errors: 1, error_rate: 0.5 });
  expect((recent.latency_p95_ms ?? 0) / 2_000).toBeCloseTo(1, 1);
});

const open = (n: number, isQueued: boolean): OpenRequest => ({
  request_id: idOf(NOW - n * 1_000),
  started_at: new Date(NOW - n * 1_000).toISOString(),
  model: "llama3.2",
  endpoint: "/api/chat",
  key_id: "caller",
  client_ip: "192.0.2.7",
  queue_position: null,
  queue_eta_ms: null,
  phase: null,
  completion_tokens: null,
  tokens_per_second: null,
  is_queued: isQueued,
});

test("requests in flight come from the agents' last readings, and the registry does not store them", async () => {
  const agent = await FakeAgent.connect("atlas");
  const other = await FakeAgent.connect("borealis");
  const readings = { ...readingsOf(NOW, ["llama3.2:latest"]), now_ms: Date.now() };
  agent.send(
    tunnelFrame(FrameType.readings, {
      ...readings,
      in_flight: 2,
      queued: 1,
      requests: [open(9, false), open(3, true)],
    }),
  );
  other.send(
    tunnelFrame(FrameType.readings, { ...readings, in_flight: 1, requests: [open(5, false)] }),
  );
  let live = Live.parse(await (await call()).json());
  while (live.in_flight.length < 3) live = Live.parse(await (await call()).json());
  expect(
    live.in_flight.map(({ box, is_queued, request_id }) => [box, is_queued, request_id]),
  ).toEqual([
    ["atlas", false, idOf(NOW - 9_000)],
    ["borealis", false, idOf(NOW - 5_000)],
    ["atlas", true, idOf(NOW - 3_000)],
  ]);
  expect(live.boxes.map(({ name, state }) => [name, state])).toEqual([
    ["atlas", "up"],
    ["borealis", "up"],
  ]);
  for (const { readings: kept } of await aggregatorOf(env).registry())
    expect(kept?.requests).toEqual([]);
});

test("a stream repeats the whole state at each interval", async () => {
  const answer = await call("?every=1", { accept: "text/event-stream" });
  expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  const reader = (answer.body ?? new ReadableStream())
    .pipeThrough(new TextDecoderStream())
    .getReader();
  const times: string[] = [];
  for (let text = ""; times.length < 2; ) {
    const { value, done } = await reader.read();
    expect(done).toBe(false);
    text += value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      times.push(Live.parse(JSON.parse(text.slice("data: ".length, end))).timestamp);
      text = text.slice(end + 2);
    }
  }
  await reader.cancel();
  expect(Date.parse(times[1] ?? "") - Date.parse(times[0] ?? "")).toBeGreaterThanOrEqual(900);
});

test.each(["?every=0", "?every=31", "?every=soon", "?often=1"])(
  "the query %s is rejected",
  async (query) => {
    expect((await call(query)).status).toBe(400);
  },
);

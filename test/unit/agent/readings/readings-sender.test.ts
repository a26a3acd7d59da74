import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  MEMORY_EVERY_MS,
  MEMORY_NEWS_MB,
  ReadingsSender,
} from "../../../../agent/readings/readings-sender.ts";
import { parsePayload } from "../../../../protocol/frames.ts";
import { type OpenRequest, Readings } from "../../../../protocol/inventory.ts";
import {
  OPEN_REQUESTS_MAX,
  READINGS_IDLE_MS,
  READINGS_QUEUED_MS,
  READINGS_WATCHED_MS,
  WATCHED_FOR_MS,
} from "../../../../protocol/limits.ts";
import { gpuOf } from "../../../support/records.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("sends readings when the tunnel comes up, then at the idle pace, and none while it is down", () => {
  const { sender, sent } = newSender();
  sender.send();
  expect(sent).toHaveLength(0);
  sender.up();
  expect(sent).toHaveLength(1);
  vi.advanceTimersByTime(2 * READINGS_IDLE_MS);
  expect(sent).toHaveLength(3);
  sender.down();
  vi.advanceTimersByTime(2 * READINGS_IDLE_MS);
  sender.send();
  expect(sent).toHaveLength(3);
});

test("sends no readings before Ollama was polled: its state and its models are unknown", () => {
  const { sender, sent, polled } = newSender([], false);
  sender.up();
  sender.watch();
  expect(sent).toHaveLength(0);
  polled();
  expect(sent).toHaveLength(1);
});

test("sends at once when somebody starts watching, and at the quick pace until the watch expires", () => {
  const { sender, sent } = newSender();
  sender.up();
  sender.watch();
  expect(sent).toHaveLength(2);
  vi.advanceTimersByTime(WATCHED_FOR_MS / 2);
  sender.watch();
  expect(sent).toHaveLength(2 + Math.floor(WATCHED_FOR_MS / 2 / READINGS_WATCHED_MS));
  vi.advanceTimersByTime(WATCHED_FOR_MS + READINGS_WATCHED_MS);
  const whileWatched = sent.length;
  vi.advanceTimersByTime(READINGS_IDLE_MS - READINGS_WATCHED_MS);
  expect(sent.length - whileWatched).toBeLessThanOrEqual(1);
});

test("sends a changed load at once while somebody is watching, and not otherwise", () => {
  const requests: OpenRequest[] = [];
  const { sender, sent } = newSender(requests);
  sender.up();
  requests.push(requestOf(1));
  sender.sendChangedLoad();
  expect(sent).toHaveLength(1);
  sender.watch();
  sender.sendChangedLoad();
  expect(sent).toHaveLength(2);
  requests.pop();
  sender.sendChangedLoad();
  expect(sent.map(({ in_flight }) => in_flight)).toEqual([0, 1, 0]);
});

test("sends readings more often while requests wait and nobody is watching", () => {
  const requests: OpenRequest[] = [];
  const { sender, sent } = newSender(requests);
  sender.up();
  vi.advanceTimersByTime(READINGS_QUEUED_MS);
  requests.push({ ...requestOf(1), is_queued: true });
  sender.sendChangedLoad();
  expect(sent.map(({ queued }) => queued)).toEqual([0, 1]);
  requests.push({ ...requestOf(2), is_queued: true });
  sender.sendChangedLoad();
  expect(sent).toHaveLength(2);
  vi.advanceTimersByTime(READINGS_QUEUED_MS);
  requests.length = 0;
  vi.advanceTimersByTime(READINGS_QUEUED_MS);
  expect(sent.map(({ queued }) => queued)).toEqual([0, 1, 2, 0]);
  vi.advanceTimersByTime(READINGS_IDLE_MS - 1);
  expect(sent).toHaveLength(4);
});

test("sends readings again when a load has filled the memory of a GPU, and not for every change", () => {
  const gpu = { usedMb: 500 as number | null };
  const { sender, sent } = newSender([], true, gpu);
  const second = (usedMb: number | null) => {
    gpu.usedMb = usedMb;
    vi.advanceTimersByTime(1_000);
    sender.sendChangedMemory();
  };
  sender.up();
  second(500);
  second(500 + MEMORY_NEWS_MB - 1);
  // Ollama lists a model that it loads, and the memory grows until it is loaded.
  sender.send();
  second(2_000);
  second(4_000);
  expect(sent).toHaveLength(2);
  second(7_000);
  second(7_000);
  expect(sent).toHaveLength(3);
  second(7_000);
  second(null);
  second(7_000);
  expect(sent).toHaveLength(3);
  // The next one waits.
  for (let ms = 0; ms < MEMORY_EVERY_MS - 5_000; ms += 1_000) second(500);
  expect(sent).toHaveLength(3);
  for (let ms = 0; ms < 5_000; ms += 1_000) second(500);
  expect(sent).toHaveLength(4);
});

test("restarts the idle interval after a change of the inventory", () => {
  const { sender, sent } = newSender();
  sender.up();
  vi.advanceTimersByTime(READINGS_IDLE_MS - 1);
  sender.send();
  vi.advanceTimersByTime(READINGS_IDLE_MS - 1);
  expect(sent).toHaveLength(2);
  vi.advanceTimersByTime(1);
  expect(sent).toHaveLength(3);
});

test("lists the oldest open requests while somebody is watching, and none otherwise", () => {
  const requests = Array.from({ length: OPEN_REQUESTS_MAX + 1 }, (_, n) => requestOf(n)).reverse();
  const { sender, sent } = newSender(requests);
  sender.up();
  sender.watch();
  const [idle, watched] = sent;
  expect(idle?.requests).toEqual([]);
  expect(watched?.requests.map(({ started_at }) => started_at)).toEqual(
    requests
      .toReversed()
      .slice(0, OPEN_REQUESTS_MAX)
      .map(({ started_at }) => started_at),
  );
});

function newSender(
  requests: OpenRequest[] = [],
  hasPolled = true,
  gpu: { usedMb: number | null } | null = null,
) {
  const sent: Readings[] = [];
  const poller = { latest: () => inventory, hasPolled };
  const inventory = {
    at: new Date(0).toISOString(),
    reachable: false,
    error: null,
    ollama_version: null,
    models: [],
    loaded: [],
  };
  const samples = () => (gpu === null ? [] : [gpuOf("box", 0, { memory_used_mb: gpu.usedMb })]);
  const sender = new ReadingsSender({
    gpu: {
      latest: samples,
      take: () => ({
        available: false,
        error: null,
        driver_version: null,
        samples: samples(),
        history: null,
        failed: false,
        lost: [],
      }),
    },
    inventory: poller,
    system: { take: () => [] },
    counts: () => ({
      in_flight: requests.length,
      queued: requests.filter(({ is_queued }) => is_queued).length,
      serving: [],
      gpu_energy: null,
      local_in_flight: 0,
      tunnel_ms: null,
      spooled: 0,
      lost: 0,
      pins: null,
      update: null,
    }),
    requests: () => [...requests],
    send: (frame) => sent.push(parsePayload(Readings, frame.payload)),
  });
  const polled = () => {
    poller.hasPolled = true;
    sender.send();
  };
  return { sender, sent, polled };
}

const requestOf = (n: number): OpenRequest => ({
  request_id: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`,
  started_at: new Date(Date.UTC(2026, 7, 1) + n).toISOString(),
  endpoint: "/api/chat",
  model: "m",
  is_queued: false,
  queue_position: null,
  queue_eta_ms: null,
  phase: null,
  completion_tokens: null,
  tokens_per_second: null,
  key_id: null,
  client_ip: null,
});

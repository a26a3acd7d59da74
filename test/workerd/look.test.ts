/** Reads of `/api` and scrapes: which of them make agents send readings, and which call the Boxes. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FrameType, tunnelFrame } from "../../protocol/frames.ts";
import { Box } from "../../worker/box/box.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { parseExposition, seriesValue } from "../support/exposition-parser.ts";
import { readingsOf } from "../support/records.ts";
import { call, eventually, textOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";

const status = vi.spyOn(Box.prototype, "status");
beforeEach(() => {
  forgetBoxes();
  status.mockClear();
});
afterEach(() => vi.useRealTimers());

const scrape = async (series: string, labels: Record<string, string>) =>
  seriesValue(parseExposition(await call("/api/metrics").then(textOf)), series, labels);
const readings = (load: { in_flight: number; queued: number }) =>
  tunnelFrame(FrameType.readings, { ...readingsOf(Date.now(), []), now_ms: Date.now(), ...load });

test("a scrape shows the newest readings, calls no Box, and makes no agent send more", async () => {
  const agent = await FakeAgent.connect("scraped");
  agent.send(readings({ in_flight: 3, queued: 2 }));
  await eventually(async () => {
    const text = await call("/api/metrics").then(textOf);
    return text.includes('ollama_queue_depth{box="scraped"} 2') ? true : undefined;
  });
  expect(await scrape("ollama_in_flight_requests", { box: "scraped" })).toBe(3);
  expect(await scrape("ollama_box_up", { box: "scraped" })).toBe(1);
  expect(status).not.toHaveBeenCalled();
  expect(agent.frames.map(({ type }) => type)).not.toContain(FrameType.watch);
});

test("the first of several reads makes agents send readings, and the others call no Box", async () => {
  const agent = await FakeAgent.connect("read");
  const read = call("/api/stats/current");
  await agent.next(FrameType.watch);
  agent.send(readings({ in_flight: 5, queued: 4 }));
  expect(await (await read).json()).toMatchObject({ in_flight: 8, queue_depth: 6 });
  const calls = status.mock.calls.length;
  for (const path of ["/api/live", "/api/health", "/api/boxes", "/api/gpu", "/api/system"])
    expect((await call(path)).status, path).toBe(200);
  expect(status).toHaveBeenCalledTimes(calls);
});

test("a box that has been silent for minutes is down in a scrape, though its Box has not noticed", async () => {
  await FakeAgent.connect("silent");
  expect(await scrape("ollama_box_up", { box: "silent" })).toBe(1);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 400_000 });
  expect(await scrape("ollama_box_up", { box: "silent" })).toBe(0);
});

test("an unknown box is not found", async () => {
  expect((await call("/api/boxes?box=nobody")).status).toBe(404);
});

/** Takes what the Box of a box reports: its agent came, sent readings, or was lost. */
import type { Readings } from "../../protocol/inventory.ts";
import type { Hello } from "../../protocol/messages.ts";
import { goneEvents, helloEvents, readingEvents } from "../answers/box-events.ts";
import type { AggregatorStores } from "./stores.ts";
import type { Wakes } from "./wakes.ts";

/** @param atMs  when the tunnel began, by the clock of its Box, which also measures its end */
export function takeHello(
  { alerts, events, registry }: AggregatorStores,
  hello: Hello,
  atMs: number,
  nowMs: number,
): void {
  events.note(helloEvents(registry.find(hello.box), hello, nowMs), nowMs);
  // Not after its readings, whose times are by this clock.
  registry.connected(hello, nowMs, Math.min(atMs, nowMs));
  alerts.lookNow(nowMs);
}

/** Resolves when what is in the readings is also on its way to the external stores, or scheduled. */
export async function takeReadings(
  stores: AggregatorStores,
  wakes: Wakes,
  box: string,
  readings: Readings,
): Promise<void> {
  const nowMs = Date.now();
  await wakes.flushingSoon(nowMs, () => noteReadings(stores, box, readings, nowMs));
  if (readings.gpu.samples.length + readings.system.length > 0) await wakes.onNewData(nowMs);
}

function noteReadings(
  { alerts, bypasses, events, listedRequests, memory, registry }: AggregatorStores,
  box: string,
  readings: Readings,
  nowMs: number,
): void {
  const before = registry.find(box);
  if (before !== null) events.note(readingEvents(before, readings), nowMs);
  listedRequests.report(box, readings.requests, nowMs);
  memory.learn(readings.inventory, nowMs);
  bypasses.read(box, readings);
  registry.read(box, { ...readings, requests: [] }, nowMs);
  alerts.look(nowMs);
}

/** @param atMs  when the tunnel ended; older than the connection if the box came back meanwhile */
export function takeGone(
  { alerts, bypasses, events, registry }: AggregatorStores,
  box: string,
  atMs: number,
): void {
  const before = registry.find(box);
  registry.gone(box, atMs);
  bypasses.forgetBox(box);
  if (before !== null && before.state !== "down" && registry.find(box)?.state === "down")
    events.note(goneEvents(before), atMs);
  alerts.lookNow(Date.now());
}

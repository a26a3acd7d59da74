/** Pins as `/api` shows them, and why one is refused. Pure. */

import type { BoxPin } from "../../protocol/api/pins.ts";
import { DAY_MS } from "../../protocol/day.ts";
import { hoursLeftMs } from "../../protocol/day-hours.ts";
import { withTag } from "../../protocol/inventory.ts";
import { type MeasuredMemory, predictedMemory } from "../../protocol/model-memory.ts";
import { PINS_PER_BOX_MAX, type Pin, type PinReport } from "../../protocol/pin.ts";
import { gpuTotalOf } from "../gpu-memory.ts";
import { isInstalledOn, type RegisteredBox } from "../registered-box.ts";
import { isoOf } from "./figures.ts";

/** A pin as the registry keeps it. */
export type KeptPin = Pin & { created_at_ms: number };

/** Returns the memory that was measured for a build of a model, one for each context. */
export type MeasuredOf = (digest: string) => readonly MeasuredMemory[];

/** The failure of the call that would make a pin. */
export type PinRefusal =
  | { reason: "bad_request" | "pin_too_large"; detail: string }
  | { reason: "model_unknown"; model: string; where: string };

/** Returns the name by which the box lists a model, with its tag; null if it lacks it. */
export function nameOn({ readings }: RegisteredBox, model: string): string | null {
  const wanted = withTag(model).toLowerCase();
  const names = readings?.inventory.models.map(({ name }) => withTag(name)) ?? [];
  return names.find((name) => name.toLowerCase() === wanted) ?? null;
}

/** Returns why a box cannot keep a model; null if it can, as far as is known. */
export function pinFailure(
  box: RegisteredBox,
  pin: Pin,
  kept: readonly Pin[],
  measuredOf: MeasuredOf,
  nowMs: number,
): PinRefusal | null {
  if (!isInstalledOn(box, pin.model))
    return { reason: "model_unknown", model: pin.model, where: `on box ${box.name}` };
  const others = kept.filter(({ model }) => model !== pin.model);
  if (others.length >= PINS_PER_BOX_MAX) {
    const detail = `Box ${box.name} has ${PINS_PER_BOX_MAX} pins already. Remove one first.`;
    return { reason: "bad_request", detail };
  }
  const total = gpuTotalOf(box);
  const least = leastBytes(box, pin, measuredOf);
  if (total === null || least === null) return null;
  const has = `the GPUs of box ${box.name} have ${gigabytes(total)}`;
  if (least > total)
    return {
      reason: "pin_too_large",
      detail: `${pin.model}${contextText(pin)} takes at least ${gigabytes(least)}, and ${has}.`,
    };
  for (const beside of together(pin, others, nowMs)) {
    const sizes = beside.map((other) => leastBytes(box, other, measuredOf) ?? 0);
    const sum = sizes.reduce((all, size) => all + size, least);
    if (sum <= total) continue;
    const list = beside.map(({ model }, index) => `${model} ${gigabytes(sizes[index] ?? 0)}`);
    const mine = `${pin.model}${contextText(pin)} takes at least ${gigabytes(least)}`;
    return {
      reason: "pin_too_large",
      detail: `${mine}. With the other pins of the same hours (${list.join(", ")}) that is ${gigabytes(sum)}, and ${has}.`,
    };
  }
  return null;
}

/**
 * Returns the memory that a model takes at least on the GPUs: as measured with this context, or with the
 * smallest one; otherwise the size of its weights. Null if nothing is known.
 */
export function leastBytes(
  { readings }: RegisteredBox,
  { model, context_length }: Pick<Pin, "model" | "context_length">,
  measuredOf: MeasuredOf,
): number | null {
  const wanted = withTag(model).toLowerCase();
  const found = readings?.inventory.models.find(
    ({ name }) => withTag(name).toLowerCase() === wanted,
  );
  if (found === undefined) return null;
  const measured = found.digest === null ? [] : measuredOf(found.digest);
  if (context_length !== null) {
    const predicted = predictedMemory(measured, context_length);
    return predicted === null || predicted.method === "at_most"
      ? found.size_bytes
      : predicted.bytes;
  }
  return measured.length === 0 ? found.size_bytes : Math.min(...measured.map(({ bytes }) => bytes));
}

/** @param reports  by the agent; null if it reports none, or is away */
export function shownPins(
  box: RegisteredBox,
  pins: readonly KeptPin[],
  reports: readonly PinReport[] | null,
  measuredOf: MeasuredOf,
  nowMs: number,
): BoxPin[] {
  return pins.map(({ created_at_ms, ...pin }) => {
    const report = reports?.find(({ model }) => withTag(model) === pin.model);
    return {
      ...pin,
      is_due: isDue(pin, nowMs),
      state: report?.state ?? null,
      reason: report?.reason ?? null,
      least_bytes: leastBytes(box, pin, measuredOf),
      created_at: isoOf(created_at_ms),
    };
  });
}

export const isDue = ({ hours, time_zone }: Pin, nowMs: number): boolean =>
  hoursLeftMs(hours, time_zone, nowMs) > 0;

/** Hours begin with a quarter of an hour in every time zone. */
const STEP_MS = 15 * 60_000;
/** In summer and in winter the clocks of two zones may differ by other hours. */
const SEASONS_MS = [0, 182 * DAY_MS];

/** Yields the other pins that are in memory at the same times as a pin, each group once. */
function* together(pin: Pin, others: readonly Pin[], nowMs: number): Generator<Pin[]> {
  const seen = new Set<string>();
  for (const seasonMs of SEASONS_MS)
    for (let ms = 0; ms < DAY_MS; ms += STEP_MS) {
      const atMs = nowMs + seasonMs + ms;
      if (!isDue(pin, atMs)) continue;
      const beside = others.filter((other) => isDue(other, atMs));
      const key = beside.map(({ model }) => model).join(" ");
      if (seen.has(key)) continue;
      seen.add(key);
      yield beside;
    }
}

const contextText = ({ context_length }: Pin): string =>
  context_length === null ? "" : ` with a context of ${context_length}`;

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

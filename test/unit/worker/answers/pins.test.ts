/** Pins that fit on the GPUs of a box, and those that cannot. */
import { expect, test } from "vitest";
import type { MeasuredMemory } from "../../../../protocol/model-memory.ts";
import { PINS_PER_BOX_MAX, type Pin } from "../../../../protocol/pin.ts";
import { leastBytes, nameOn, pinFailure, shownPins } from "../../../../worker/answers/pins.ts";
import type { RegisteredBox } from "../../../../worker/registered-box.ts";
import { gpuOf, helloOf, readingsOf } from "../../../support/records.ts";

const NOW = Date.parse("2026-11-27T12:00:00Z");
const GB = 1e9;
const SIZES: Record<string, number | null> = {
  "big:70b": 42,
  "mid:14b": 9,
  "half:20b": 13,
  "odd:1b": null,
};

/** A box with 24 GB of VRAM. */
function boxOf(totals: (number | null)[] = [24 * GB]): RegisteredBox {
  const samples = totals.map((total, index) => ({
    ...gpuOf("atlas", NOW, {
      memory_total_mb: total === null ? null : total / 2 ** 20,
      memory_used_mb: 0,
    }),
    index,
  }));
  const readings = readingsOf(NOW, Object.keys(SIZES), samples);
  for (const model of readings.inventory.models) {
    const size = SIZES[model.name] ?? null;
    Object.assign(model, { digest: model.name, size_bytes: size === null ? null : size * GB });
  }
  return {
    name: "atlas",
    hello: helloOf("atlas"),
    state: "up",
    connected_at_ms: NOW,
    last_seen_ms: NOW,
    readings,
    readings_at_ms: NOW,
    gpus_at_ms: NOW - 3_600_000, // memory does not go away
    gpu_energy: [],
  };
}

const pinOf = (model: string, rest: Partial<Pin> = {}): Pin => ({
  model,
  context_length: null,
  hours: null,
  time_zone: "UTC",
  ...rest,
});

const measured: Record<string, MeasuredMemory[]> = {
  "mid:14b": [
    { context_length: 4_096, bytes: 10 * GB },
    { context_length: 8_192, bytes: 11 * GB },
  ],
};
const measuredOf = (digest: string) => measured[digest] ?? [];
const failureOf = (pin: Pin, others: Pin[] = [], box = boxOf()) =>
  pinFailure(box, pin, others, measuredOf, NOW);

const DAY = { from: 8, to: 18 };
const NIGHT = { from: 18, to: 8 };

test.each<[what: string, pin: Pin, others: Pin[]]>([
  ["alone", pinOf("mid:14b"), []],
  ["beside one that leaves room", pinOf("half:20b"), [pinOf("mid:14b")]],
  ["instead of itself", pinOf("half:20b", { hours: DAY }), [pinOf("half:20b")]],
  [
    "at other hours",
    pinOf("half:20b", { hours: DAY }),
    [pinOf("mid:14b", { context_length: 65_536, hours: NIGHT })],
  ],
  ["and a model of unknown size", pinOf("odd:1b"), [pinOf("mid:14b")]],
])("accepts a pin %s", (_, pin, others) => {
  expect(failureOf(pin, others)).toBeNull();
});

test.each<[what: string, pin: Pin, others: Pin[], detail: string]>([
  [
    "a model that is larger than the GPUs",
    pinOf("big:70b"),
    [],
    "big:70b takes at least 42.0 GB, and the GPUs of box atlas have 24.0 GB.",
  ],
  [
    "a context that is too long, by what was measured",
    pinOf("mid:14b", { context_length: 65_536 }),
    [],
    "mid:14b with a context of 65536 takes at least 25.0 GB, and the GPUs of box atlas have 24.0 GB.",
  ],
  [
    "two that are too large together",
    pinOf("half:20b"),
    [pinOf("mid:14b", { context_length: 12_288 })],
    "half:20b takes at least 13.0 GB. With the other pins of the same hours (mid:14b 12.0 GB) that is 25.0 GB, and the GPUs of box atlas have 24.0 GB.",
  ],
  [
    "two whose hours overlap for one hour",
    pinOf("half:20b", { hours: { from: 8, to: 19 } }),
    [pinOf("mid:14b", { context_length: 12_288, hours: NIGHT })],
    "half:20b takes at least 13.0 GB. With the other pins",
  ],
  [
    "two whose hours overlap in different time zones",
    pinOf("half:20b", { hours: DAY, time_zone: "Europe/Berlin" }),
    [
      pinOf("mid:14b", {
        context_length: 12_288,
        hours: { from: 18, to: 24 },
        time_zone: "Asia/Tokyo",
      }),
    ],
    "half:20b takes at least 13.0 GB. With the other pins",
  ],
])("refuses %s, with the numbers", (_, pin, others, detail) => {
  const failure = failureOf(pin, others);
  expect(failure).toMatchObject({ reason: "pin_too_large" });
  expect(failure).toHaveProperty("detail", expect.stringContaining(detail));
});

test("refuses hours that overlap in summer only", () => {
  // 18 o'clock in New York is 22 in UTC while its clocks are ahead, and otherwise 23.
  const newYork = pinOf("half:20b", { hours: { from: 18, to: 19 }, time_zone: "America/New_York" });
  const utc = pinOf("mid:14b", { context_length: 12_288, hours: { from: 22, to: 23 } });
  expect(failureOf(newYork, [utc])).toMatchObject({ reason: "pin_too_large" });
});

test.each<[what: string, totals: (number | null)[]]>([
  ["without a GPU", []],
  ["whose GPU reports no memory", [24 * GB, null]],
])("accepts any pin of a box %s: nothing is known", (_, totals) => {
  expect(failureOf(pinOf("big:70b"), [], boxOf(totals))).toBeNull();
});

test("refuses a model that the box lacks, and more pins than a box can use", () => {
  expect(failureOf(pinOf("absent:1b"))).toEqual({
    reason: "model_unknown",
    model: "absent:1b",
    where: "on box atlas",
  });
  const many = Array.from({ length: PINS_PER_BOX_MAX }, (_, n) => pinOf(`n${n}:1b`));
  expect(failureOf(pinOf("mid:14b"), many)).toMatchObject({ reason: "bad_request" });
});

test.each<[model: string, context: number | null, bytes: number | null]>([
  ["mid:14b", null, 10 * GB],
  ["mid:14b", 4_096, 10 * GB],
  ["mid:14b", 6_144, 10.5 * GB],
  ["half:20b", 6_144, 13 * GB],
  ["odd:1b", null, null],
  ["absent:1b", null, null],
])("%s with the context %s takes at least %s bytes", (model, context_length, bytes) => {
  expect(leastBytes(boxOf(), { model, context_length }, measuredOf)).toBe(bytes);
});

test("finds a model in any spelling, and shows a pin with the report of its agent", () => {
  const box = boxOf();
  expect([nameOn(box, "MID:14b"), nameOn(box, "mid")]).toEqual(["mid:14b", null]);
  const pin = { ...pinOf("mid:14b", { hours: NIGHT }), created_at_ms: NOW };
  const report = { model: "mid:14b", state: "off" as const, reason: null };
  expect(shownPins(box, [pin], [report], measuredOf, NOW)).toEqual([
    {
      ...pinOf("mid:14b", { hours: NIGHT }),
      is_due: false,
      state: "off",
      reason: null,
      least_bytes: 10 * GB,
      created_at: "2026-11-27T12:00:00.000Z",
    },
  ]);
  expect(shownPins(box, [pin], null, measuredOf, NOW)[0]?.state).toBeNull();
});

import { expect, test } from "vitest";
import { Plan } from "../../../../protocol/api/planning.ts";
import type { MeasuredMemory } from "../../../../protocol/model-memory.ts";
import { planOf } from "../../../../worker/answers/plan.ts";
import type { RegisteredBox } from "../../../../worker/registered-box.ts";
import { gpuOf, helloOf, readingsOf } from "../../../support/records.ts";

const NOW = 1_800_000_000_000;
const MIB = 2 ** 20;

/** gemma4, in the documentation of Ollama's API. */
const GEMMA: MeasuredMemory = { context_length: 4_096, bytes: 6_591_830_464 };

function boxOf(
  name: string,
  memoryMb: { total: number; used: number } | null,
  { hasModel = true, loaded = false, state = "up" as RegisteredBox["state"] } = {},
): RegisteredBox {
  const samples =
    memoryMb === null
      ? []
      : [gpuOf(name, NOW, { memory_total_mb: memoryMb.total, memory_used_mb: memoryMb.used })];
  const readings = readingsOf(NOW, hasModel ? ["gemma4:latest"] : [], samples);
  for (const model of readings.inventory.models) model.digest = "c6eb396dbd59";
  if (loaded)
    readings.inventory.loaded = [
      {
        name: "gemma4:latest",
        size_bytes: GEMMA.bytes,
        size_vram_bytes: 5_333_539_264,
        context_length: 4_096,
        expires_at: null,
      },
    ];
  return {
    name,
    hello: helloOf(name),
    state,
    connected_at_ms: NOW,
    last_seen_ms: NOW,
    readings,
    readings_at_ms: NOW,
    gpus_at_ms: NOW,
    gpu_energy: [],
  };
}

const plan = (boxes: RegisteredBox[], context: number | null, measured = [GEMMA]) => {
  const answer = planOf(
    boxes,
    "GEMMA4",
    context,
    (digest) => (digest === "c6eb396dbd59" ? measured : []),
    NOW,
  );
  return answer === null ? null : Plan.parse(answer);
};

test("shows where a model fits now, where it would without others, and what is missing", () => {
  const boxes = [
    boxOf("free", { total: 24_576, used: 8_192 }),
    boxOf("full", { total: 24_576, used: 20_480 }, { hasModel: false }),
    boxOf("small", { total: 4_096, used: 0 }),
    boxOf("none", null),
    boxOf("down", { total: 24_576, used: 0 }, { state: "down" }),
  ];
  const answer = plan(boxes, 4_096);
  expect(answer).toMatchObject({ model: "gemma4:latest", context_length: 4_096 });
  expect(
    answer?.boxes.map(({ box, fits, fits_empty, room_bytes }) => [
      box,
      fits,
      fits_empty,
      room_bytes,
    ]),
  ).toEqual([
    ["free", true, true, 16_384 * MIB - GEMMA.bytes],
    ["full", false, true, 4_096 * MIB - GEMMA.bytes],
    ["small", false, false, 4_096 * MIB - GEMMA.bytes],
    ["none", null, null, null],
    ["down", null, null, null],
  ]);
  expect(answer?.boxes.map(({ is_installed }) => is_installed)).toEqual([
    true,
    false,
    true,
    true,
    true,
  ]);
});

test("counts the memory of the model itself as free where it is loaded", () => {
  const [box] =
    plan([boxOf("a", { total: 8_192, used: 8_192 }, { loaded: true })], null)?.boxes ?? [];
  expect(box).toMatchObject({
    loaded_context_length: 4_096,
    predicted_bytes: GEMMA.bytes,
    method: "measured",
    vram_free_bytes: 5_333_539_264,
    fits: false,
  });
});

test("offers no more memory than the GPUs have, if they were read before the model was loaded", () => {
  const [box] = plan([boxOf("a", { total: 8_192, used: 0 }, { loaded: true })], null)?.boxes ?? [];
  expect(box).toMatchObject({ vram_free_bytes: 8_192 * MIB, fits: true });
});

test("leaves unknown what nobody has measured, and what a bound does not decide", () => {
  const boxes = [boxOf("a", { total: 4_096, used: 0 })];
  expect(plan(boxes, 8_192)?.boxes[0]).toMatchObject({ predicted_bytes: null, fits: null });
  expect(plan(boxes, null, [])).toMatchObject({ context_length: null });
  expect(plan(boxes, 2_048)?.boxes[0]).toMatchObject({ method: "at_most", fits: null });
  expect(plan([boxOf("a", null, { hasModel: false })], null)).toBeNull();
});

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { GpuReadings, type GpuReport } from "../../../../agent/readings/gpu-readings.ts";
import { FRAME_BYTES_MAX } from "../../../../protocol/limits.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const rowOf = (index: number, more: Partial<GpuReport> = {}): GpuReport => ({
  index,
  uuid: `GPU-${index}`,
  name: "L40S",
  driver_version: "595.80",
  utilization_percent: 42,
  memory_used_mb: 1_000,
  memory_total_mb: 46_068,
  temperature_c: 50,
  power_draw_w: 61.5,
  power_limit_w: 350,
  sm_clock_mhz: 2_520,
  fan_percent: null,
  throttle_reasons: [],
  ...more,
});

const NOTHING = {
  utilization_percent: null,
  memory_used_mb: null,
  memory_total_mb: null,
  temperature_c: null,
  power_draw_w: null,
  power_limit_w: null,
  sm_clock_mhz: null,
  throttle_reasons: null,
};

function scene() {
  const changes: boolean[] = [];
  const readings: GpuReadings = new GpuReadings({
    box: "b",
    intervalSeconds: 1,
    now: Date.now,
    log: () => {},
    onChange: () => changes.push(readings.latest().length > 0),
  });
  return { readings, changes };
}

const lostIn = (readings: GpuReadings) => readings.take().lost.map(({ index }) => index);

test("shows no stale reading: after 3 s without a row there is a reason instead, which is no fault", () => {
  const { readings, changes } = scene();
  readings.accept(rowOf(0));
  vi.advanceTimersByTime(2_000);
  readings.accept(rowOf(0));
  vi.advanceTimersByTime(2_999);
  expect(readings.take()).toMatchObject({ available: true, error: null });
  vi.advanceTimersByTime(1);
  expect(readings.take()).toMatchObject({
    available: false,
    error: "no GPU reading for 3 s",
    failed: false,
  });
  expect(readings.latest()).toEqual([]);
  readings.accept(rowOf(0));
  expect(readings.take()).toMatchObject({ available: true, error: null, failed: false });
  expect(changes).toEqual([true, false, true]);
});

test("reports a GPU that the others outlive as lost, until it is read again", () => {
  const { readings } = scene();
  for (let round = 0; round < 2; round++) for (const gpu of [0, 1]) readings.accept(rowOf(gpu));
  for (let round = 0; round < 3; round++) readings.accept(rowOf(0));
  expect(readings.latest().map(({ index }) => index)).toEqual([0]);
  expect(readings.take()).toMatchObject({
    available: true,
    failed: true,
    lost: [{ index: 1, uuid: "GPU-1", name: "L40S" }],
  });
  readings.accept(rowOf(1));
  expect(readings.take()).toMatchObject({ failed: false, lost: [] });
});

test("reports a GPU whose every figure is an error text as lost at once, and stores no sample of it", () => {
  const { readings } = scene();
  for (const gpu of [0, 1]) readings.accept(rowOf(gpu));
  readings.take();
  readings.accept(rowOf(0));
  readings.accept(rowOf(1, { ...NOTHING, uuid: null, name: "unknown GPU" }));
  const state = readings.take();
  expect(state.lost).toEqual([{ index: 1, uuid: "GPU-1", name: "L40S" }]);
  expect(state.samples.map(({ index }) => index)).toEqual([0]);
  expect(readings.latest().map(({ index }) => index)).toEqual([0]);
});

test("a failure is a fault if a GPU was read before or should be there, and not on a box without one", () => {
  const without = scene().readings;
  without.fail("nvidia-smi was not found", { retryInMs: 1 });
  expect(without.take()).toMatchObject({ available: false, failed: false, lost: [] });
  const broken = scene().readings;
  broken.fail("driver/library version mismatch", { isFault: true });
  expect(broken.take()).toMatchObject({ failed: true, lost: [] });
  const { readings } = scene();
  readings.accept(rowOf(0));
  readings.fail("GPU is lost");
  expect(readings.take()).toMatchObject({ available: false, error: "GPU is lost", failed: true });
  expect(lostIn(readings)).toEqual([0]);
  readings.accept(rowOf(0));
  expect(readings.take()).toMatchObject({ available: true, failed: false, lost: [] });
});

test("a GPU that was given to a virtual machine is not lost, and one that comes back can be", () => {
  const { readings } = scene();
  readings.accept(rowOf(0));
  readings.fail("no devices", { isFault: true });
  expect(readings.take()).toMatchObject({ failed: true, lost: [{ index: 0 }] });
  readings.fail("passed through", { isGivenUp: true });
  expect(readings.take()).toMatchObject({
    available: false,
    error: "passed through",
    failed: false,
    lost: [],
  });
  readings.accept(rowOf(0));
  readings.fail("no devices");
  expect(readings.take()).toMatchObject({ failed: true, lost: [{ index: 0 }] });
});

test("fits in a frame with room for everything else, however long the edge was away", () => {
  const { readings } = scene();
  const name = "NVIDIA RTX PRO 6000 Blackwell Server Edition";
  const uuid = "GPU-00000000-0000-0000-0000-000000000001";
  for (let second = 0; second < 9_000; second++) {
    vi.advanceTimersByTime(1_000);
    const figures = { power_draw_w: 512.34 + second / 1_000, utilization_percent: 99 };
    readings.accept(rowOf(0, { uuid, name, ...figures, throttle_reasons: ["sw_power_cap"] }));
  }
  const state = readings.take();
  expect([state.samples.length, state.history?.length]).toEqual([1_000, 600]);
  expect(JSON.stringify(state).length).toBeLessThan(0.8 * FRAME_BYTES_MAX);
});

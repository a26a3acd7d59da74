import { expect, test } from "vitest";
import type { GpuState } from "../../../../protocol/inventory.ts";
import { scrape } from "../../../../worker/exposition/scrape.ts";
import { render } from "../../../../worker/exposition/text.ts";
import type { RegisteredBox } from "../../../../worker/registered-box.ts";
import { parseExposition, seriesValue } from "../../../support/exposition-parser.ts";
import { boxOf, parts } from "./scrape-scene.ts";

const ZERO = { joules: 0, seconds: 0 };

test("a GPU is up if it is read, down if it was read before, and absent on a box without one", () => {
  const [lost, failed, unknown, none] = [
    boxOf("lost"),
    boxOf("failed"),
    boxOf("unknown"),
    boxOf("none"),
  ];
  const readingsOf = (box: RegisteredBox, gpu: Partial<GpuState>) => {
    if (box.readings !== null) box.readings.gpu = { ...box.readings.gpu, ...gpu };
  };
  const gpu1 = { index: 1, uuid: "GPU-1", name: "L40S" };
  readingsOf(lost, { failed: true, lost: [gpu1] });
  const energy = { active: ZERO, loaded: ZERO, idle: ZERO };
  readingsOf(failed, { failed: true, samples: [] });
  failed.gpu_energy = [{ ...gpu1, meter_id: "m", reported: energy, total: energy }];
  readingsOf(unknown, { failed: true, samples: [] });
  readingsOf(none, { samples: [] });
  const boxes = [lost, failed, unknown, none];
  const live = boxes.map(({ name }) => ({ name, up: true, in_flight: 0, queue_depth: 0 }));
  const text = render(scrape({ ...parts(), boxes, live }), false);
  const up = text.split("\n").filter((line) => line.startsWith("ollama_gpu_up{"));
  expect(up.map((line) => line.replace(/uuid="[^"]*",name="[^"]*"/, ""))).toEqual([
    'ollama_gpu_up{box="lost",gpu="0",} 1.0',
    'ollama_gpu_up{box="lost",gpu="1",} 0.0',
    'ollama_gpu_up{box="failed",gpu="1",} 0.0',
    'ollama_gpu_up{box="unknown",gpu="",} 0.0',
  ]);
});

test("each throttle reason of a GPU is a sample", () => {
  const boxes = [boxOf("atlas")];
  const [gpu] = boxes[0]?.readings?.gpu.samples ?? [];
  if (gpu !== undefined) gpu.throttle_reasons = ["sw_power_cap", "hw_slowdown"];
  const text = render(scrape({ ...parts(), boxes }), false);
  const reasons = [...text.matchAll(/^ollama_gpu_throttle_reason\{.*reason="(\w+)"\} 1\.0$/gm)];
  expect(reasons.map(([, reason]) => reason)).toEqual(["sw_power_cap", "hw_slowdown"]);
});

test("the energy of a GPU is counted by state, even while its box is down", () => {
  const total = {
    active: { joules: 1_000.5, seconds: 2 },
    loaded: { joules: 50, seconds: 1 },
    idle: { joules: 0, seconds: 0 },
  };
  const gpu = { index: 0, uuid: "GPU-1", name: "L40S", meter_id: "m", reported: total, total };
  const boxes = [{ ...boxOf("gone"), gpu_energy: [gpu] }];
  const families = parseExposition(render(scrape({ ...parts(), boxes, live: [] }), false));
  const labels = { box: "gone", gpu: "0", uuid: "GPU-1", name: "L40S" };
  const joules = "ollama_gpu_energy_joules_total";
  expect(seriesValue(families, joules, { ...labels, state: "active" })).toBe(1_000.5);
  expect(seriesValue(families, joules, { ...labels, state: "idle" })).toBe(0);
  const seconds = "ollama_gpu_energy_seconds_total";
  expect(seriesValue(families, seconds, { ...labels, state: "loaded" })).toBe(1);
});

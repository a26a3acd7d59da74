/** An update of the charts of GPU & system with 10,000 points each. */
import type { Browser } from "playwright-core";
import { startSimulatedOllama } from "../../simulated/ollama.ts";
import { rounded } from "../../worker/answers/figures.ts";
import { TestStack } from "../support/stack.ts";
import { busyMs, clickedUntil, countBusy, opened } from "./dashboard-page.ts";

export const POINTS = 10_000;
const UPDATES = 20;
const RANGES = ["6h", "1h"] as const;

/** Returns the median processor time of the main thread for one answer with this many points. */
export async function updateMs(browser: Browser): Promise<number> {
  const view = await opened(browser);
  const { page } = view;
  await using fleet = await TestStack.start();
  const ollama = await startSimulatedOllama({ models: ["llama3.2"] });
  await fleet.startAgent({ name: "atlas", ollamaUrl: ollama.url });
  let shift = 0;
  await page.route("**/api/gpu/history?*", (route) =>
    route.fulfill({ json: gpuHistoryOf(shift++) }),
  );
  await page.goto(`${fleet.url}/#/system`);
  await page.getByRole("img", { name: /^GPU power: / }).waitFor();
  // The click needs a selector.
  await page.evaluate(`for (const button of document.querySelectorAll(".choice button"))
    button.dataset.range = button.textContent`);
  await countBusy(view);
  const times: number[] = [];
  for (let n = 0; n < UPDATES; n++) {
    const range = RANGES[n % RANGES.length];
    const before = await busyMs(view);
    await page.evaluate(
      `globalThis.drawn = document.querySelector(".plot-line").getAttribute("d")`,
    );
    await clickedUntil(
      page,
      `[data-range="${range}"]`,
      `document.querySelector(".plot-line").getAttribute("d") !== drawn &&
        document.querySelector(".line-plots.loading") === null`,
    );
    times.push((await busyMs(view)) - before);
  }
  await page.context().close();
  await ollama.close();
  return Math.round(times.sort((a, b) => a - b)[UPDATES / 2] ?? 0);
}

/** Four figures of a GPU that differ with each answer, rounded as the edge rounds them. */
function gpuHistoryOf(shift: number): object {
  const startMs = Date.parse("2026-11-24T00:00:00.000Z");
  const wave = Array.from(
    { length: POINTS },
    (_, n) => 50 + 30 * Math.sin((n + shift * 17) / 40) + (n % 13),
  );
  const times = (factor: number) => wave.map((value) => rounded(value * factor));
  const gpu = {
    box: "atlas",
    index: 0,
    name: "NVIDIA RTX 4090",
    sm_clock_mhz: times(20),
    utilization_percent: times(1),
    utilization_max_percent: times(1),
    memory_used_mb: times(200),
    memory_used_max_mb: times(200),
    temperature_c: times(0.6),
    temperature_max_c: times(0.6),
    power_draw_w: times(3),
    energy_j: times(180),
  };
  const timestamps = wave.map((_, n) => new Date(startMs + n * 60_000).toISOString());
  return { time_range: "7d", store: "durable_object", timestamps, gpus: [gpu] };
}

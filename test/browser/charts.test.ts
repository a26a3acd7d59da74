/** Charts: full-size labels, whole buckets, a measured 0 apart from the unknown. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { History } from "../../protocol/api/stats.ts";
import { edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

const MINUTE_MS = 60_000;

type Figures = Record<string, number | null>;

/** Supplies a history of the machines in whole minutes, each with these figures, and of the minute that has begun. */
async function supplyHistory(page: Page, minutes: readonly Figures[]): Promise<void> {
  const newest = { cpu_percent: 0, memory_used_gb: 0, in_flight: 0, queue_depth: 0 };
  await page.route("**/api/system/history?*", async (route) => {
    const answer = (await (await route.fetch()).json()) as Record<string, unknown>;
    const begunMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
    const data = [...minutes, {}].map((figures, index) => ({
      ...newest,
      timestamp: new Date(begunMs + (index - minutes.length) * MINUTE_MS).toISOString(),
      ...figures,
    }));
    await route.fulfill({ json: { ...answer, data } });
  });
}

/** Supplies a history of a GPU that does nothing, whose last bucket has just begun. */
async function supplyIdleGpu(page: Page): Promise<void> {
  await page.route("**/api/gpu/history?*", async (route) => {
    const stepMs = 20_000;
    const newest = Math.floor(Date.now() / stepMs) * stepMs;
    const timestamps = Array.from({ length: 45 }, (_, n) =>
      new Date(newest - (44 - n) * stepMs).toISOString(),
    );
    const column = (value: number) => timestamps.map(() => value);
    const gpu = {
      box: "atlas",
      index: 0,
      name: "NVIDIA RTX 4090",
      utilization_percent: column(0),
      memory_used_mb: column(0),
      temperature_c: column(31),
      power_draw_w: column(22),
      sm_clock_mhz: column(210),
    };
    await route.fulfill({
      json: { time_range: "15m", store: "durable_object", timestamps, gpus: [gpu] },
    });
  });
}

/** Counts the pixels that a chart draws in a colour of the design tokens. */
const pixelsOf = (page: Page, title: string, token: string): Promise<number> =>
  page.evaluate<number>(`(() => {
    const colour = getComputedStyle(document.documentElement).getPropertyValue("--${token}");
    const [red, green, blue] = colour.match(/[\\d.]+/g).map(Number);
    const canvas = document.querySelector('[role="img"][aria-label^="${title}: "] canvas');
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let at = 0; at < data.length; at += 4)
      if (data[at + 3] > 100 && Math.hypot(data[at] - red, data[at + 1] - green, data[at + 2] - blue) < 12)
        found++;
    return found;
  })()`);

const figure = (page: Page, title: string) => page.locator(".chart", { hasText: title });

test.concurrent.for([1, 2, 3])(
  "draws every label of a chart with at least 11 pixels on a screen of density %i",
  async (deviceScaleFactor, { expect }) => {
    await using viewer = await Viewer.open("#/system", { deviceScaleFactor });
    const { page } = viewer;
    await page.addInitScript(`
      globalThis.fonts = new Set();
      const { fillText } = CanvasRenderingContext2D.prototype;
      CanvasRenderingContext2D.prototype.fillText = function (...labels) {
        fonts.add(this.font);
        return fillText.apply(this, labels);
      };
    `);
    await page.reload();
    const fonts = () => page.evaluate<string[]>("[...fonts]");
    await expect.poll(async () => (await fonts()).length).toBeGreaterThan(0);
    for (const font of await fonts()) {
      const [, size] = font.match(/([\d.]+)px/) ?? [];
      expect(Number(size) / deviceScaleFactor, font).toBeGreaterThanOrEqual(11);
    }
  },
);

test.concurrent("shows the figures of the last whole minute, and does not draw the one that has begun", async () => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  const busy = { cpu_percent: 90, memory_used_gb: 35.6 };
  await supplyHistory(page, [busy, busy, { ...busy, cpu_percent: 60 }]);
  await page.goto(`${edgeUrl()}/#/system`);
  await page
    .getByRole("img", { name: /^CPU: CPU: last 60.%, lowest 60.%, highest 90.%/ })
    .waitFor();
  await page.getByText(/^Each point of a chart covers .* The cards show the latest/).waitFor();
  expect(await figure(page, "Memory").last().locator(".legend").innerText()).toContain("35.6");
});

test.concurrent("draws a measured 0 as a line, and leaves the unknown empty", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  const unknown = { cpu_percent: null };
  await supplyHistory(page, [...Array(6).fill(unknown), ...Array(3).fill({})]);
  await page.goto(`${edgeUrl()}/#/system`);
  await page.getByRole("img", { name: /^CPU: CPU: last 0/ }).waitFor();
  await expect.poll(() => pixelsOf(page, "CPU", "series-one")).toBeGreaterThan(20);
  const short = await pixelsOf(page, "CPU", "series-one");
  await page.unroute("**/api/system/history?*");
  await supplyHistory(page, Array(9).fill({}));
  await page.reload();
  await expect.poll(() => pixelsOf(page, "CPU", "series-one")).toBeGreaterThan(1.5 * short);
});

test.concurrent("reports since when requests are counted", async () => {
  const answer = await fetch(`${edgeUrl()}/api/stats/history?time_range=24h`);
  const { since, metrics } = History.parse(await answer.json());
  expect(Date.parse(since ?? "")).toBeLessThan(Date.now());
  expect(Date.parse(since ?? "")).toBeGreaterThan(Date.parse(metrics[0]?.timestamp ?? ""));
});

test.concurrent("draws an idle GPU at 0", async ({ expect }) => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  await supplyIdleGpu(page);
  await page.goto(`${edgeUrl()}/#/system`);
  await page.getByRole("img", { name: /^GPU utilization: atlas: last 0/ }).waitFor();
  expect(await figure(page, "GPU utilization").locator(".nothing").count()).toBe(0);
  await expect.poll(() => pixelsOf(page, "GPU utilization", "series-one")).toBeGreaterThan(100);
});

test.concurrent("hides no line under another of the same value", async ({ expect }) => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  await supplyHistory(page, Array(3).fill({ in_flight: 2, queue_depth: 2 }));
  await page.goto(`${edgeUrl()}/#/system`);
  await page.getByRole("img", { name: /^Requests: In flight: last 2/ }).waitFor();
  for (const token of ["series-one", "series-three"])
    await expect
      .poll(() => pixelsOf(page, "Requests", token), { message: token })
      .toBeGreaterThan(20);
});

test.concurrent("draws each chart once for each response, and not for live data", async () => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  await supplyIdleGpu(page);
  await supplyHistory(page, Array(3).fill({ cpu_percent: 9 }));
  await page.addInitScript(`
    globalThis.draws = 0;
    const { clearRect } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.clearRect = function (...area) {
      draws++;
      return clearRect.apply(this, area);
    };
  `);
  await page.goto(`${edgeUrl()}/#/system?range=24h`);
  await page.reload();
  await page.getByRole("img", { name: /^CPU: CPU: last 9/ }).waitFor();
  const drawsAfter = async (name: string, ...paths: string[]): Promise<number> => {
    const frames =
      "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";
    await page.evaluate(frames);
    await page.evaluate("globalThis.draws = 0");
    const answered = Promise.all(paths.map((path) => page.waitForResponse(path)));
    await page.getByRole("button", { name, exact: true }).click();
    await answered;
    await page.locator(".charts:not(.loading)").waitFor();
    await page.evaluate(frames);
    return page.evaluate<number>("draws");
  };
  const charts = await page.locator(".charts canvas").count();
  const histories = ["system", "gpu"].map((of) => `**/api/${of}/history?time_range=6h*`);
  expect(await drawsAfter("6h", ...histories)).toBe(charts);
  expect(await drawsAfter("Refresh now", "**/api/live*")).toBe(0);
});

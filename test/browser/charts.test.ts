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
  await page.route("**/api/system/history?*", (route) => {
    const begunMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
    const data = [...minutes, {}].map((figures, index) => ({
      ...newest,
      timestamp: new Date(begunMs + (index - minutes.length) * MINUTE_MS).toISOString(),
      ...figures,
    }));
    return route.fulfill({ json: { store: "durable_object", data } });
  });
}

/** Returns 45 buckets, the last of which has just begun, in which every figure is this one. */
function historyOf(url: string, value: number): object {
  const stepMs = 20_000;
  const newest = Math.floor(Date.now() / stepMs) * stepMs;
  const timestamps = Array.from({ length: 45 }, (_, n) =>
    new Date(newest - (44 - n) * stepMs).toISOString(),
  );
  const column = (figure: number) => timestamps.map(() => figure);
  if (!url.includes("/gpu/")) {
    const names = ["cpu_percent", "memory_used_gb", "in_flight", "queue_depth"];
    const figures = Object.fromEntries(names.map((name) => [name, value]));
    return {
      store: "durable_object",
      data: timestamps.map((timestamp) => ({ timestamp, ...figures })),
    };
  }
  const gpu = {
    box: "atlas",
    index: 0,
    name: "NVIDIA RTX 4090",
    utilization_percent: column(value),
    memory_used_mb: column(value),
    temperature_c: column(31 + value),
    power_draw_w: column(22 + value),
    sm_clock_mhz: column(210),
  };
  return { time_range: "15m", store: "durable_object", timestamps, gpus: [gpu] };
}

const supplyIdleGpu = (page: Page) =>
  page.route("**/api/gpu/history?*", (route) =>
    route.fulfill({ json: historyOf(route.request().url(), 0) }),
  );

const TWO_FRAMES =
  "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";

const figure = (page: Page, title: string) =>
  page.locator(".line-plot").filter({ has: page.getByText(title, { exact: true }) });

/** Counts the pixels of a picture of a chart that have the colour of one of its lines. */
async function pixelsOf(page: Page, title: string, colour: "one" | "three"): Promise<number> {
  const area = figure(page, title).locator(".plot-area");
  const stroke = await page.evaluate<string>(
    `getComputedStyle(document.querySelector(".line-plot .plot-line.${colour}")).stroke`,
  );
  const picture = (await area.screenshot()).toString("base64");
  // The page itself may load no data as a picture.
  const blank = await page.context().newPage();
  const found = await blank.evaluate<number>(`(async () => {
    const [red, green, blue] = "${stroke}".match(/[\\d.]+/g).map(Number);
    const image = new Image();
    image.src = "data:image/png;base64,${picture}";
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let at = 0; at < data.length; at += 4)
      if (Math.hypot(data[at] - red, data[at + 1] - green, data[at + 2] - blue) < 12) found++;
    return found;
  })()`);
  await blank.close();
  return found;
}

/** A thin line has pixels of its own colour. */
const SHARP = { deviceScaleFactor: 2 };

test.concurrent.for([1, 2, 3])(
  "draws every label of a chart with at least 11 pixels on a screen of density %i",
  async (deviceScaleFactor, { expect }) => {
    await using viewer = await Viewer.open("#/system", { deviceScaleFactor });
    const { page } = viewer;
    await figure(page, "CPU").locator(".axis-x span").first().waitFor();
    const sizes = await page.evaluate<number[]>(`
      [...document.querySelectorAll(".line-plot :is(span, b)")].map((each) =>
        Number.parseFloat(getComputedStyle(each).fontSize))
    `);
    expect(sizes.length).toBeGreaterThan(20);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(11);
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
  expect(await figure(page, "Memory").locator(".legend").innerText()).toContain("35.6");
});

test.concurrent("draws a measured 0 as a line, and leaves the unknown empty", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/settings", SHARP);
  const { page } = viewer;
  const unknown = { cpu_percent: null };
  await supplyHistory(page, [...Array(6).fill(unknown), ...Array(3).fill({})]);
  await page.goto(`${edgeUrl()}/#/system`);
  await page.getByRole("img", { name: /^CPU: CPU: last 0/ }).waitFor();
  await expect.poll(() => pixelsOf(page, "CPU", "one")).toBeGreaterThan(20);
  const short = await pixelsOf(page, "CPU", "one");
  await page.unroute("**/api/system/history?*");
  await supplyHistory(page, Array(9).fill({}));
  await page.reload();
  await expect.poll(() => pixelsOf(page, "CPU", "one")).toBeGreaterThan(1.5 * short);
});

test.concurrent("reports since when requests are counted", async () => {
  const answer = await fetch(`${edgeUrl()}/api/stats/history?time_range=24h`);
  const { since, metrics } = History.parse(await answer.json());
  expect(Date.parse(since ?? "")).toBeLessThan(Date.now());
  expect(Date.parse(since ?? "")).toBeGreaterThan(Date.parse(metrics[0]?.timestamp ?? ""));
});

test.concurrent("draws an idle GPU at 0", async ({ expect }) => {
  await using viewer = await Viewer.open("#/settings", SHARP);
  const { page } = viewer;
  await supplyIdleGpu(page);
  await page.goto(`${edgeUrl()}/#/system`);
  await page.getByRole("img", { name: /^GPU utilization: atlas: last 0/ }).waitFor();
  expect(await figure(page, "GPU utilization").locator(".nothing-drawn").count()).toBe(0);
  await expect.poll(() => pixelsOf(page, "GPU utilization", "one")).toBeGreaterThan(100);
});

test.concurrent("hides no line under another of the same value", async ({ expect }) => {
  await using viewer = await Viewer.open("#/settings", SHARP);
  const { page } = viewer;
  await supplyHistory(page, Array(3).fill({ in_flight: 2, queue_depth: 2 }));
  await page.goto(`${edgeUrl()}/#/system`);
  await page.getByRole("img", { name: /^Requests: In flight: last 2/ }).waitFor();
  for (const colour of ["one", "three"] as const)
    await expect
      .poll(() => pixelsOf(page, "Requests", colour), { message: colour })
      .toBeGreaterThan(20);
});

test.concurrent("draws each chart once for each response, and not for live data", async () => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  await page.route(/\/api\/(gpu|system)\/history\?/, async (route) => {
    const wanted = new URL(route.request().url()).searchParams.get("time_range");
    await route.fulfill({ json: historyOf(route.request().url(), wanted === "6h" ? 6 : 9) });
  });
  await page.goto(`${edgeUrl()}/#/system?range=24h`);
  await page.getByRole("img", { name: /^CPU: CPU: last 9/ }).waitFor();
  await page.evaluate(`
    globalThis.draws = 0;
    new MutationObserver((changes) => {
      draws += changes.filter(({ target }) => target.matches(".plot-line")).length;
    }).observe(document.querySelector(".line-plots"), { attributeFilter: ["d"], subtree: true });
  `);
  const drawsAfter = async (name: string, ...paths: string[]): Promise<number> => {
    await page.evaluate(TWO_FRAMES);
    await page.evaluate("globalThis.draws = 0");
    const answered = Promise.all(paths.map((path) => page.waitForResponse(path)));
    await page.getByRole("button", { name, exact: true }).click();
    await answered;
    await page.locator(".line-plots:not(.loading)").waitFor();
    await page.evaluate(TWO_FRAMES);
    return page.evaluate<number>("draws");
  };
  const lines = await page.locator(".line-plots .plot-line").count();
  expect(lines).toBe(8);
  const histories = ["system", "gpu"].map((of) => `**/api/${of}/history?time_range=6h*`);
  expect(await drawsAfter("6h", ...histories)).toBe(lines);
  expect(await drawsAfter("Refresh now", "**/api/live*")).toBe(0);
});

test.concurrent("selects a time by dragging, points at all charts, and lists them as a table", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  await supplyHistory(page, Array(9).fill({ cpu_percent: 9, in_flight: 2 }));
  await page.goto(`${edgeUrl()}/#/system`);
  const area = figure(page, "CPU").locator(".plot-area");
  await area.scrollIntoViewIfNeeded();
  const { x, y, width, height } = (await area.boundingBox()) ?? expect.fail("no chart");
  // Nine buckets of a minute: the third to the fifth of them.
  const middleOf = (bucket: number) => x + ((bucket + 0.5) * width) / 9;
  await page.mouse.move(middleOf(2), y + height / 2);
  await figure(page, "Memory").locator(".pointed").waitFor();
  await page.mouse.down();
  await page.mouse.move(middleOf(4), y + height / 2, { steps: 3 });
  await area.locator(".brushed").waitFor();
  await page.mouse.up();
  await expect.poll(() => page.url()).toContain("until=");
  const query = new URLSearchParams(page.url().split("?")[1]);
  const lengthMs = Date.parse(query.get("until") ?? "") - Date.parse(query.get("from") ?? "");
  expect(lengthMs).toBe(3 * MINUTE_MS);
  await page.getByText("Show the history as a table").click();
  const table = page.getByRole("region", { name: "Machines and GPUs over time" });
  await expect
    .poll(() => table.locator("tbody tr").filter({ hasText: "9\u202f%" }).count())
    .toBe(3);
  expect(await table.locator("tbody a").first().getAttribute("href")).toContain("#/requests?");
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await page.getByRole("button", { name: "1h", exact: true }).click();
  await expect.poll(() => page.url()).not.toContain("until=");
  expect(viewer.errors).toEqual([]);
});

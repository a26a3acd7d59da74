/** An opened request stays where it is while others finish, and its link opens it at any age. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { Logs } from "../../protocol/api/logs.ts";
import { eventually } from "../support/stack.ts";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

/** Two minutes of the page's clock, which moves on with every event of the live stream. */
const STEP_MS = 5_000;
const STEPS = 120_000 / STEP_MS;
/** Calls at once; each wave begins and ends with nothing in flight. 216 calls together. */
const WAVE = 9;
/** The budget of a page that stays still, as Chromium counts it. */
const SHIFT_MAX = 0.02;

/** Records the places of the opened row and of its panel in every frame, and each shift of the layout. */
const WATCH = `
  globalThis.places = new Set();
  globalThis.shift = 0;
  new PerformanceObserver((list) => {
    for (const { value } of list.getEntries()) shift += value;
  }).observe({ type: "layout-shift" });
  const look = () => {
    const at = (selector) => document.querySelector(selector)?.getBoundingClientRect().top ?? "gone";
    places.add([at("tr.row.open"), at(".side"), at(".side .phases")].join());
    requestAnimationFrame(look);
  };
  look();
`;

/** Returns a function that waits for the next event of the page's live stream. */
async function liveEventsOf(page: Page): Promise<() => Promise<void>> {
  const session = await page.context().newCDPSession(page);
  const streams = new Set<string>();
  let arrived = () => {};
  session.on("Network.requestWillBeSent", ({ requestId, request }) => {
    if (request.url.includes("/api/live")) streams.add(requestId);
  });
  session.on("Network.dataReceived", ({ requestId }) => streams.has(requestId) && arrived());
  await session.send("Network.enable");
  return () =>
    new Promise((resolve) => {
      arrived = resolve;
    });
}

async function finishedWith(word: string): Promise<Logs> {
  return Logs.parse(await (await fetch(`${edgeUrl()}/api/stats/logs?q=${word}`)).json());
}

test("keeps an opened request in its place for two minutes while 200 more finish, and opens it from its link afterwards", async () => {
  await callModel({ model: "qwen3:8b", messages: [{ role: "user", content: "a lone heron" }] });
  const { id } = await eventually(async () => (await finishedWith("heron")).logs[0]);
  await using viewer = await Viewer.open("#/settings", { refreshSeconds: 1 });
  const { page } = viewer;
  const nextEvent = await liveEventsOf(page);
  await page.clock.install();
  await page.goto(`${edgeUrl()}/#/requests`);
  await page.reload();
  await page.getByRole("link", { name: `Details of request ${id}` }).click();
  await page.locator(".side .phases").waitFor();
  await page.evaluate(WATCH);

  const call = { model: "mistral", messages: [{ role: "user", content: "a flock of geese" }] };
  for (let step = 0; step < STEPS; step++) {
    await Promise.all(
      Array.from({ length: WAVE }, () => callModel({ ...call, options: { num_predict: 1 } })),
    );
    await nextEvent();
    await page.clock.runFor(STEP_MS);
  }
  const more = page.getByRole("button", { name: "50 or more new" });
  await more.waitFor();
  await eventually(async () => (await finishedWith("geese")).total >= WAVE * STEPS);
  expect(await page.evaluate<unknown[]>("[...places]")).toHaveLength(1);
  expect(await page.evaluate<string>("[...places].join()")).not.toContain("gone");
  expect(await page.evaluate<number>("shift")).toBeLessThan(SHIFT_MAX);
  expect(await viewer.accessibilityViolations()).toEqual([]);

  await more.click();
  await page.getByRole("region", { name: "Request list" }).getByText("mistral").first().waitFor();
  const panel = page.getByRole("complementary", { name: "Request" });
  await panel.getByText("a lone heron").first().waitFor();

  await using other = await Viewer.open(new URL(page.url()).hash);
  const opened = other.page.getByRole("complementary", { name: "Request" });
  await opened.locator(".phases").waitFor();
  expect(await opened.locator(".explanation").textContent()).toMatch(/^\d.* of it was .*\.$/);
  expect(await opened.locator(".text-block pre").first().textContent()).toContain("a lone heron");
  expect([...viewer.errors, ...other.errors]).toEqual([]);
});

test("finds a request by its ID, whatever the other filters", async () => {
  await callModel({ model: "qwen3:8b", messages: [{ role: "user", content: "a lone egret" }] });
  const { id } = await eventually(async () => (await finishedWith("egret")).logs[0]);
  await using viewer = await Viewer.open(`#/requests?q=${id}&status=error&period=15m`);
  const { page } = viewer;
  await page.getByRole("link", { name: `Details of request ${id}` }).waitFor();
  expect(await page.locator("tr.row").count()).toBe(1);
  expect(viewer.errors).toEqual([]);
});

test("reads a request once if its link opens it later", async () => {
  await callModel({ model: "qwen3:8b", messages: [{ role: "user", content: "a lone bittern" }] });
  const { id } = await eventually(async () => (await finishedWith("bittern")).logs[0]);
  await using viewer = await Viewer.open("#/settings");
  const { page, requests } = viewer;
  await page.clock.install({ time: Date.now() + 300_000 });
  // Otherwise the page that is open would show the request first, by the old clock.
  await page.goto("about:blank");
  await page.goto(`${edgeUrl()}/#/requests?open=${id}`);
  await page.locator(".side .phases").waitFor();
  expect(requests.filter((request) => request.includes(id))).toEqual([
    `GET ${edgeUrl()}/api/stats/logs/${id}`,
  ]);
  expect(viewer.errors).toEqual([]);
});

test("moves from row to row by the keyboard, and returns to the row when the panel is closed", async () => {
  await Promise.all([1, 2, 3].map(() => callModel({ model: "qwen3:8b" })));
  await using viewer = await Viewer.open("#/requests?model=qwen3:8b", { refreshSeconds: 0 });
  const { page } = viewer;
  const rows = page.locator(".row-link");
  await rows.nth(2).waitFor();
  await rows.first().focus();
  await page.keyboard.press("Enter");
  await page.locator(".side .phases").waitFor();
  const opened = () => new URLSearchParams(page.url().split("?")[1]).get("open");
  const first = opened();
  await page.keyboard.press("ArrowDown");
  await expect.poll(opened).not.toBe(first);
  await page.getByRole("button", { name: "Newer request" }).click();
  await expect.poll(opened).toBe(first);
  await page.keyboard.press("Escape");
  await page.locator(".side").waitFor({ state: "detached" });
  expect(opened()).toBeNull();
  expect(viewer.errors).toEqual([]);
});

test("explains that a request is not stored if its link opens none", async () => {
  const id = "0190b5a0-0000-7000-8000-00000000000a";
  await using viewer = await Viewer.open(`#/requests?open=${id}`);
  const { page } = viewer;
  await page.getByText("No finished request with this ID is stored").waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByText("No finished request with this ID is stored").waitFor({ state: "detached" });
  expect(new URL(page.url()).hash).toBe("#/requests");
});

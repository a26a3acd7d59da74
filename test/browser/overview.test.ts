/** The overview: the seed's figures and charts, what needs attention, and that made-up numbers say so. */
import { expect, test } from "vitest";
import { CurrentStats } from "../../protocol/api/stats.ts";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test("the totals are the API's, and rise while one looks", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  const shown = page.locator(".total", { hasText: "Total Requests" }).locator(".total-value");
  await shown.waitFor();
  await callModel({ model: "llama3.2" });
  const { total_requests } = CurrentStats.parse(
    await (await fetch(`${edgeUrl()}/api/stats/current`)).json(),
  );
  await expect
    .poll(async () => Number((await shown.getAttribute("title"))?.replaceAll(",", "")), {
      timeout: 15_000,
    })
    .toBeGreaterThanOrEqual(total_requests);
  expect(viewer.errors).toEqual([]);
});

test("each range shows the four charts", async () => {
  await callModel({ model: "llama3.2" });
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  for (const range of ["5m", "15m", "6h", "24h", "7d", "30d", "90d", "1h"]) {
    const answered = page.waitForResponse((answer) =>
      answer.url().includes(`/api/stats/history?time_range=${range}`),
    );
    await page.getByRole("button", { name: range, exact: true }).click();
    expect((await answered).status()).toBe(200);
  }
  for (const title of ["Requests per Minute", "Tokens per Second", "Latency", "Error Rate"])
    await page.getByRole("img", { name: new RegExp(`^${title}: `) }).waitFor();
  expect(viewer.errors).toEqual([]);
});

test("a link shows its range, whatever was chosen here before; a year is for who has a store", async () => {
  await using viewer = await Viewer.open("#/?range=7d");
  const { page } = viewer;
  await page.getByRole("heading", { name: "Last 7 days" }).waitFor();
  await page.getByRole("button", { name: "24h", exact: true }).click();
  await page.getByRole("heading", { name: "Last 24 hours" }).waitFor();
  expect(new URL(page.url()).hash).toBe("#/?range=24h");
  expect(await page.getByRole("button", { name: "365d", exact: true }).count()).toBe(0);
  await page.goto(`${edgeUrl()}/#/?range=365d`);
  await page.getByRole("heading", { name: "Last year" }).waitFor();
  await page.getByRole("button", { name: "365d", exact: true, pressed: true }).waitFor();
});

test("a box that is down comes first, with how long", async () => {
  await using viewer = await Viewer.open("#/");
  const first = viewer.page
    .getByRole("region", { name: "Needs attention" })
    .getByRole("listitem")
    .first();
  expect(await first.textContent()).toMatch(/cinder has been down for/);
});

test("made-up numbers cannot be missed: a banner, the title, and the box itself", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByText("No model runs here.").waitFor();
  expect(await page.title()).toMatch(/^\[simulated\]/);
  expect(await page.locator(".box", { hasText: "atlas" }).getByText("simulated").count()).toBe(1);
  expect(await page.locator(".box", { hasText: "borealis" }).getByText("simulated").count()).toBe(
    0,
  );
});

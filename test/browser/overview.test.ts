/** The overview: totals, charts, concerns, and the labels on simulated data. */
import { expect, test } from "vitest";
import { CurrentStats } from "../../protocol/api/stats.ts";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test.concurrent("shows the totals of the API and updates them live", async ({ expect }) => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  const shown = page.locator(".total", { hasText: "Total requests" }).locator(".total-value");
  await shown.waitFor();
  await callModel({ model: "llama3.2" });
  const { total_requests } = CurrentStats.parse(
    await (await fetch(`${edgeUrl()}/api/stats/current`)).json(),
  );
  await expect
    .poll(async () => Number((await shown.getAttribute("title"))?.replaceAll(",", "")))
    .toBeGreaterThanOrEqual(total_requests);
  expect(viewer.errors).toEqual([]);
});

test.concurrent("reads the requests of every range, and offers a year only through a link or with an external store", async () => {
  await callModel({ model: "llama3.2" });
  await using viewer = await Viewer.open("#/?range=7d");
  const { page } = viewer;
  const time = page.getByRole("button", { name: /^Time: / });
  await time.getByText("Last 7 days").waitFor();
  for (const range of ["5m", "15m", "6h", "24h", "30d", "90d", "1h"]) {
    const answered = page.waitForResponse(
      (answer) => answer.url().includes("/api/stats/activity?seconds=") && answer.ok(),
    );
    await time.click();
    await page.getByRole("button", { name: range, exact: true }).click();
    await answered;
    expect(new URL(page.url()).hash).toBe(`#/?range=${range}`);
  }
  await time.click();
  expect(await page.getByRole("button", { name: "365d", exact: true }).count()).toBe(0);
  expect(viewer.errors).toEqual([]);
  await page.goto(`${edgeUrl()}/#/?range=365d`);
  await time.getByText("Last year").waitFor();
  await page.getByText("Without ClickHouse or Postgres history is kept for 90 days.").waitFor();
});

test.concurrent("draws the period that is compared with, by a key or in the menu of times", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/?range=15m");
  const { page } = viewer;
  const hash = () => new URL(page.url()).hash;
  await page.getByRole("img", { name: /^Requests: / }).waitFor();
  const pale = page.locator(".figure-cards .before");
  expect(await pale.count()).toBe(0);
  await page.keyboard.press("c");
  await expect.poll(hash).toBe("#/?range=15m&compare=previous");
  await expect.poll(() => pale.count()).toBe(6);
  const weekBefore = page.waitForResponse((answer) => {
    const since = new URL(answer.url()).searchParams.get("since");
    return since !== null && Date.parse(since) < Date.now() - 7 * 86_400_000;
  });
  await page.getByRole("button", { name: /^Time: Last 15 minutes vs the period before/ }).click();
  await page.getByRole("combobox", { name: "Compare with" }).selectOption("week");
  await weekBefore;
  expect(hash()).toBe("#/?range=15m&compare=week");
});

test.concurrent("divides the requests by box, and leads from a part to its requests", async () => {
  await callModel({ model: "mistral" }, "borealis");
  await using viewer = await Viewer.open("#/?range=15m");
  const { page } = viewer;
  await page
    .getByRole("group", { name: "Requests by" })
    .getByRole("button", { name: "Box" })
    .click();
  await page.locator(".legend-button", { hasText: "borealis" }).click();
  expect(new URL(page.url()).hash).toBe("#/?range=15m&split=box&box=borealis");
});

test.concurrent("saves a view under a name, and finds it in the palette", async ({ expect }) => {
  await using viewer = await Viewer.open("#/requests?status=error&range=24h");
  const { page } = viewer;
  await page.getByRole("button", { name: "Saved views" }).click();
  await page.getByRole("textbox", { name: "Name of this view" }).fill("Failures of a day");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Failures of a day" }).waitFor();
  await page.goto(`${edgeUrl()}/#/`);
  await page.reload();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: /^Find a page/ }).fill("failures");
  await page.keyboard.press("Enter");
  await expect.poll(() => new URL(page.url()).hash).toBe("#/requests?status=error&range=24h");
  await page.getByRole("button", { name: "Saved views" }).click();
  await page.getByRole("button", { name: "Remove Failures of a day" }).click();
  await page.getByText("A view is a page with its box").waitFor();
});

test.concurrent("lists a box that is down first, with its downtime", async () => {
  await using viewer = await Viewer.open("#/");
  const first = viewer.page
    .getByRole("region", { name: "Needs attention" })
    .getByRole("listitem")
    .first();
  expect(await first.textContent()).toMatch(/cinder has been down for/);
});

test.concurrent("names the simulated box in a banner, and labels it in the title and on its card", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByText("atlas runs no model: its answers and figures are made up.").waitFor();
  expect(await page.getByText("All answers and figures on this page are made up").count()).toBe(0);
  expect(await page.title()).toContain("[simulated]");
  expect(
    await page
      .locator(".box", { hasText: "atlas" })
      .getByText("simulated", { exact: true })
      .count(),
  ).toBe(1);
  expect(
    await page
      .locator(".box", { hasText: "borealis" })
      .getByText("simulated", { exact: true })
      .count(),
  ).toBe(0);
});

test.concurrent("leads from a bar to its requests, and selects a time by dragging", async ({
  expect,
}) => {
  await callModel({ model: "llama3.2" });
  await using viewer = await Viewer.open("#/?range=15m");
  const { page } = viewer;
  const hash = () => new URL(page.url()).hash;
  const bars = page.getByRole("img", { name: /^Requests: [1-9]/ });
  await bars.waitFor();
  const box = await bars.boundingBox();
  if (box === null) throw new Error("the bars are not drawn");
  const move = (x: number, y = 0.5) =>
    page.mouse.move(box.x + x * box.width, box.y + y * box.height);

  await move(0.2);
  await page.mouse.down();
  await move(0.5);
  await move(0.8);
  await page.mouse.up();
  await expect.poll(hash).toMatch(/^#\/\?from=[^&]+Z&until=[^&]+Z$/);
  const [, from = "", until = ""] =
    /from=([^&]+)&until=(.+)$/.exec(decodeURIComponent(hash())) ?? [];
  const minutes = (Date.parse(until) - Date.parse(from)) / 60_000;
  expect(minutes).toBeGreaterThan(8);
  expect(minutes).toBeLessThan(10);
  // A time that somebody selected is explained, even if there is nothing to explain.
  await page.getByText(/^(P95 (was|rose|fell)|No model answered|\d+ requests?, too few)/).waitFor();
  await page.getByRole("button", { name: "Follow", exact: true }).click();
  await expect.poll(hash).toMatch(/^#\/\?range=\d+s$/);

  await page.getByRole("button", { name: /^Time: / }).click();
  const time = page.getByRole("textbox", { name: "Time" });
  await time.fill("soon");
  expect(await time.getAttribute("aria-invalid")).toBe("true");
  await time.fill("last 15 min");
  await page.keyboard.press("Enter");
  await expect.poll(hash).toBe("#/?range=15m");

  const last = await page.evaluate<{ x: number; y: number }>(`(() => {
    const { right, bottom } = document.querySelector(".panel-chart path[class^=model]").getBoundingClientRect();
    return { x: right - 1, y: bottom - 1 };
  })()`);
  await page.mouse.click(last.x, last.y);
  await expect.poll(hash).toMatch(/^#\/requests\?.*from=.*until=/);
  expect(viewer.errors).toEqual([]);
});

test.concurrent("narrows everything to a box and a model, and lists the charts as a table", async () => {
  await callModel({ model: "mistral" });
  await using viewer = await Viewer.open("#/?range=15m");
  const { page } = viewer;
  const answered = page.waitForResponse(
    (answer) =>
      answer.url().includes("/api/stats/activity") && answer.url().includes("box=borealis"),
  );
  await page.getByRole("combobox", { name: "Box" }).selectOption("borealis");
  expect((await answered).status()).toBe(200);
  await page.getByRole("combobox", { name: "Model" }).selectOption("mistral");
  expect(new URL(page.url()).hash).toBe("#/?range=15m&box=borealis&model=mistral");
  await page.getByText("Show the charts as a table").click();
  const row = page.getByRole("region", { name: "Requests over time" }).getByRole("link").first();
  await row.click();
  await page.waitForURL(/#\/requests\?box=borealis&model=mistral&from=/);
});

test.concurrent("shows the memory, work and speed of each box in a row", async () => {
  await using viewer = await Viewer.open("#/");
  const row = viewer.page.locator(".fleet .box", { hasText: "atlas" });
  await row.getByText(/running, \d+ waiting/).waitFor();
  await row.getByText(/ of .*Fits .* more/).waitFor();
  await row.getByText(/^first token /).waitFor();
  expect(await viewer.page.locator(".fleet .box.down", { hasText: "cinder" }).count()).toBe(1);
});

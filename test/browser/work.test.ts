/**
 * The work of the page while data arrives, counted and not timed: it is the same on a slow phone, where
 * each changed element costs more.
 */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { Logs } from "../../protocol/api/logs.ts";
import { eventually } from "../support/stack.ts";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

const ROWS = 50;
/** A row has ten cells, a link, a sign of its status, and a bar with at most seven parts. */
const ELEMENTS_PER_ROW_MAX = 40;
/** A live event updates the ages and figures of three boxes. A drawn-again page has thousands. */
const CHANGES_PER_EVENT_MAX = 100;

/** Counts the changes of elements below a selector from now on: added and removed, text, attributes. */
const countChanges = (page: Page, selector: string) =>
  page.evaluate(`{
    globalThis.changes = { added: 0, removed: 0, text: 0, attributes: 0 };
    globalThis.observer?.disconnect();
    globalThis.observer = new MutationObserver((mutations) => {
      for (const { type, addedNodes, removedNodes } of mutations) {
        if (type === "characterData") changes.text++;
        else if (type === "attributes") changes.attributes++;
        changes.added += addedNodes.length;
        changes.removed += removedNodes.length;
      }
    });
    observer.observe(document.querySelector('${selector}'), {
      subtree: true, childList: true, characterData: true, attributes: true,
    });
  }`);

type Changes = Record<"added" | "removed" | "text" | "attributes", number>;
const changes = (page: Page) => page.evaluate<Changes>("changes");

/** Waits until the page has read the list this many more times. */
async function lists(page: Page, times: number): Promise<void> {
  for (let n = 0; n < times; n++)
    await (await page.waitForResponse("**/api/stats/logs?*")).finished();
  await page.evaluate(
    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
  );
}

test("a list that is read again changes nothing until its new rows are shown", async () => {
  const call = { model: "mistral", options: { num_predict: 1 } };
  const total = async () =>
    Logs.parse(await (await fetch(`${edgeUrl()}/api/stats/logs?limit=1`)).json()).total;
  // Other files call the same edge.
  const before = await total();
  await Promise.all(Array.from({ length: ROWS }, () => callModel(call)));
  await eventually(async () => (await total()) >= before + ROWS);
  await using viewer = await Viewer.open("#/requests", { refreshSeconds: 1 });
  const { page } = viewer;
  await expect.poll(() => page.locator("tr.row").count()).toBe(ROWS);
  const elements = await page.evaluate<number>("document.querySelectorAll('tr.row *').length");
  expect(elements).toBeLessThan(ROWS * ELEMENTS_PER_ROW_MAX);

  await countChanges(page, "table.log tbody");
  await lists(page, 3);
  expect(await changes(page)).toEqual({ added: 0, removed: 0, text: 0, attributes: 0 });

  await callModel(call);
  const more = page.getByRole("button", { name: /^\d+ new$/ });
  await more.waitFor();
  expect(await changes(page)).toEqual({ added: 0, removed: 0, text: 0, attributes: 0 });
  await more.click();
  await expect.poll(async () => (await changes(page)).added).toBeGreaterThan(0);
  const { added, removed, text } = await changes(page);
  // The common axis may be another one.
  expect([added, text]).toEqual([removed, 0]);
});

test("an event of the live stream changes figures, and replaces no part of the page", async () => {
  await callModel({ model: "llama3.2" });
  await using viewer = await Viewer.open("#/", { refreshSeconds: 1 });
  const { page } = viewer;
  await page.getByRole("img", { name: /^Requests: / }).waitFor();
  await page.getByText("Live, every 1").waitFor();
  await countChanges(page, "main");
  const shown = page.locator(".total", { hasText: "Total requests" }).locator(".total-value");
  const before = await shown.getAttribute("title");
  await callModel({ model: "llama3.2" });
  await expect.poll(() => shown.getAttribute("title")).not.toBe(before);
  const { added, removed, text, attributes } = await changes(page);
  // The chips of loaded models and the list of concerns may come and go.
  expect(added + removed).toBeLessThan(CHANGES_PER_EVENT_MAX);
  expect(text + attributes).toBeLessThan(5 * CHANGES_PER_EVENT_MAX);
});

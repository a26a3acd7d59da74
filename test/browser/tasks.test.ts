/** The tasks of a stranger, from the first page: each in at most three clicks, or one entry of the palette. */
import type { Page } from "playwright-core";
import { beforeAll, test } from "vitest";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

const CLICKS_MAX = 3;

beforeAll(async () => {
  await callModel({ model: "llama3.2", options: { num_predict: 200 } });
});

/** Opens the first page, and counts the clicks of a person on it. */
async function arrive(): Promise<{ viewer: Viewer; page: Page; clicks: () => Promise<number> }> {
  const viewer = await Viewer.open("#/", { refreshSeconds: 1 });
  const { page } = viewer;
  await page.getByText("Total requests").waitFor();
  await page.evaluate(
    "globalThis.clicks = 0; addEventListener('click', ({ isTrusted }) => { clicks += isTrusted; }, true)",
  );
  return { viewer, page, clicks: () => page.evaluate<number>("clicks") };
}

test.concurrent("finds why a call was slow", async ({ expect }) => {
  const { viewer, page, clicks } = await arrive();
  await using _ = viewer;
  await page
    .getByRole("region", { name: "Requests worth a look" })
    .getByRole("link")
    .first()
    .click();
  await page.locator(".side .explanation").waitFor();
  await page.locator(".side .phases").waitFor();
  expect(await clicks()).toBeLessThanOrEqual(CLICKS_MAX);
});

test.concurrent("answers whether there is room for a model of 20 GB, with clicks and with the palette", async ({
  expect,
}) => {
  const { viewer, page, clicks } = await arrive();
  await using _ = viewer;
  const answer = page.getByRole("status").filter({ hasText: "A model of 20 GB" });
  await page.getByRole("link", { name: "Models", exact: true }).click();
  await page.getByRole("textbox", { name: "Size of a model" }).fill("20");
  await answer.getByText("too large").or(answer.getByText("fits")).first().waitFor();
  expect(await clicks()).toBeLessThanOrEqual(CLICKS_MAX);

  await page.goto(`${edgeUrl()}/#/`);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: /^Find a page/ }).fill("20 GB");
  await page.keyboard.press("Enter");
  await answer.getByRole("listitem").first().waitFor();
  expect(viewer.errors).toEqual([]);
});

test.concurrent("adds a box", async ({ expect }) => {
  const { viewer, page, clicks } = await arrive();
  await using _ = viewer;
  await page.getByRole("link", { name: "Boxes", exact: true }).click();
  await page.getByRole("button", { name: "Add a box" }).click();
  await page.getByText(/curl -fsSLo install\.sh/).waitFor();
  expect(await clicks()).toBeLessThanOrEqual(CLICKS_MAX);
});

test.concurrent("stops a runaway request", async ({ expect }) => {
  const { viewer, page, clicks } = await arrive();
  await using _ = viewer;
  const call = await fetch(`${edgeUrl()}/ollama/api/chat`, {
    method: "POST",
    body: JSON.stringify({
      model: "qwen3:8b",
      messages: [{ role: "user", content: "a runaway request" }],
      options: { num_predict: 100_000 },
    }),
  });
  const id = call.headers.get("x-request-id");
  await page.getByRole("link", { name: "Requests", exact: true }).click();
  const stop = page.getByRole("button", { name: `Stop request ${id}` });
  await stop.click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop it" }).click();
  expect(await call.text()).toContain("stopped by an operator");
  await stop.waitFor({ state: "detached" });
  expect(await clicks()).toBeLessThanOrEqual(CLICKS_MAX);
});

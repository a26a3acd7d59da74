/** The Alerts & events page: what is wrong, what happened, and the targets of messages. */
import { expect, test } from "vitest";
import { ThresholdsState } from "../../protocol/api/thresholds.ts";
import { edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test.concurrent("lists what is wrong now and what happened, by kind and box, with its requests", async () => {
  await using viewer = await Viewer.open("#/alerts");
  const { page } = viewer;
  await page
    .getByRole("region", { name: "Wrong now" })
    .getByText(/cinder/)
    .waitFor();
  const events = page.getByRole("region", { name: "Events" });
  await events.getByRole("button", { name: "Boxes", exact: true }).click();
  await page.getByRole("combobox", { name: "Box" }).selectOption("cinder");
  await page.waitForURL((url) => url.hash === "#/alerts?kinds=tunnel&box=cinder");
  await events.locator(".event-list:not(.loading)").waitFor();
  const texts = await events.getByRole("listitem").allTextContents();
  expect(texts.length).toBeGreaterThan(0);
  for (const text of texts) expect(text).toContain("cinder");
  await events
    .getByRole("link", { name: /^Requests around/ })
    .first()
    .click();
  await page.waitForURL(/#\/requests\?box=cinder&from=/);
  expect(viewer.errors).toEqual([]);
});

test.concurrent("adds a target of messages, shows its secret once, tests it and removes it", async () => {
  await using viewer = await Viewer.open("#/alerts", { refreshSeconds: 0 });
  const { page } = viewer;
  await page.getByRole("button", { name: "Add a target" }).click();
  const dialog = page.getByRole("dialog", { name: "Add a target of messages" });
  // Nothing listens there.
  await dialog.getByLabel("Address").fill("http://127.0.0.1:9/hook");
  await dialog.getByLabel("Name, by default its host").fill("On call");
  await dialog.getByLabel("Also a summary of the week").check();
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await dialog.getByText(/^whsec_/).waitFor();
  await dialog.getByRole("button", { name: "Done" }).click();
  const row = page.getByRole("row", { name: /On call/ });
  const weekly = row.getByRole("button", { name: "Weekly summary to On call" });
  await weekly.getByText("Monday, 8:00").waitFor();
  await weekly.click();
  await weekly.getByText("never").waitFor();
  await row.getByRole("button", { name: "Test On call" }).click();
  await row.getByText(/^The test failed: /).waitFor();
  await row.getByRole("button", { name: "Remove On call" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
  await row.waitFor({ state: "detached" });
  const { targets } = (await (await fetch(`${edgeUrl()}/api/notifications`)).json()) as {
    targets: unknown[];
  };
  expect(targets).toEqual([]);
});

test.concurrent("sets a threshold for a model, explains a faulty one, and removes it", async () => {
  await using viewer = await Viewer.open("#/alerts", { refreshSeconds: 0 });
  const { page } = viewer;
  await page.getByRole("button", { name: "Add a threshold" }).click();
  const dialog = page.getByRole("dialog", { name: "Add a threshold" });
  await dialog
    .getByRole("combobox", { name: "Value", exact: true })
    .selectOption("Error rate of a model");
  await dialog.getByRole("combobox", { name: "Model", exact: true }).fill("llama3.2");
  await dialog.getByLabel("Warning above, in %").fill("120");
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await dialog.getByRole("alert").getByText("at most 100").waitFor();
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await dialog.getByLabel("Warning above, in %").fill("7");
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  const row = page.getByRole("row", { name: /^Error rate of a model llama3.2/ });
  await row.getByText("7\u202f%", { exact: true }).waitFor();
  const rules = async () =>
    ThresholdsState.parse(await (await fetch(`${edgeUrl()}/api/thresholds`)).json()).rules;
  expect(await rules()).toMatchObject([{ code: "model_errors_high", warning: 0.07 }]);
  await row.getByRole("button", { name: /^Remove/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
  await row.waitFor({ state: "detached" });
  expect(await rules()).toEqual([]);
  expect(viewer.errors).toEqual([]);
});

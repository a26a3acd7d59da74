/** The settings of the browser and the edge, and the stored data. */
import { expect, test } from "vitest";
import { DataSummary } from "../../protocol/api/data.ts";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test("keeps theme, units, price and refresh interval after a reload", async () => {
  await using viewer = await Viewer.open("#/settings", { colorScheme: "light" });
  const { page } = viewer;
  await page.getByRole("button", { name: "Dark", exact: true }).click();
  await page.getByRole("button", { name: "°F" }).click();
  await page.getByRole("spinbutton", { name: "Price per kWh" }).fill("0.30");
  await page.getByRole("combobox", { name: "Refresh interval" }).selectOption("1");
  await page.reload();
  await page.getByText("Price per kWh", { exact: true }).waitFor();
  expect(await page.evaluate("document.documentElement.dataset.theme")).toBe("dark");
  await page.getByText("Live, every 1").waitFor();
  await page.goto(`${edgeUrl()}/#/system`);
  await page.getByText("°F").first().waitFor();
  await page.getByText(/€[\d.]+ per day at this rate/).waitFor();
});

test("sends no request with refresh off until the button is pressed", async () => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  await page.getByRole("combobox", { name: "Refresh interval" }).selectOption("0");
  await page.getByText("Refresh off").waitFor();
  const before = viewer.requests.filter((request) => request.includes("/api/live")).length;
  await page.getByRole("button", { name: "Refresh now" }).click();
  await expect
    .poll(() => viewer.requests.filter((request) => request.includes("/api/live")).length)
    .toBe(before + 1);
});

test("shows the configuration of the edge and toggles the storage of prompts and responses", async () => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  const texts = page.getByRole("switch", { name: "Store prompts and responses" });
  const logContent = async () =>
    ((await (await fetch(`${edgeUrl()}/api/config`)).json()) as { log_content: string })
      .log_content;
  await texts.click();
  const dialog = page.getByRole("dialog", { name: "Stop storing prompts and responses" });
  await dialog.getByText(/permanently removes the prompts/).waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  expect(await logContent()).toBe("on");
  await texts.click();
  await dialog.getByRole("textbox").fill("remove texts");
  await dialog.getByRole("button", { name: "Remove texts" }).click();
  await expect.poll(logContent).toBe("off");
  await expect.poll(async () => (await texts.isEnabled()) && !(await texts.isChecked())).toBe(true);
  await texts.click();
  await expect.poll(logContent).toBe("on");
  await page.getByText("/agent/install.sh").first().waitFor();
});

test("clears metrics only once the phrase is typed", async () => {
  await callModel({ model: "llama3.2" });
  const clearedAt = async () =>
    DataSummary.parse(await (await fetch(`${edgeUrl()}/api/data/summary`)).json())
      .metrics_cleared_at;
  const before = await clearedAt();
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  await page.getByRole("button", { name: "Clear metrics…" }).click();
  const dialog = page.getByRole("dialog", { name: "Clear metrics" });
  await dialog.getByRole("textbox").fill("clear");
  expect(await dialog.getByRole("button", { name: "Clear metrics" }).isDisabled()).toBe(true);
  expect(await clearedAt()).toBe(before);
  await dialog.getByRole("textbox").fill("clear metrics");
  await dialog.getByRole("button", { name: "Clear metrics" }).click();
  await dialog.waitFor({ state: "detached" });
  expect(await clearedAt()).not.toBe(before);
});

test("exports the totals as JSON", async () => {
  await using viewer = await Viewer.open("#/settings");
  const [saved] = await Promise.all([
    viewer.page.waitForEvent("download"),
    viewer.page.getByRole("button", { name: "Export totals (JSON)" }).click(),
  ]);
  expect(saved.suggestedFilename()).toMatch(/^metrics-.*\.json$/);
});

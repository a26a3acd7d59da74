/** Settings: of this browser, of the edge, of what is stored. */
import { expect, test } from "vitest";
import { DataSummary } from "../../protocol/api/data.ts";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test("preferences hold over a reload: theme, units, price, refresh", async () => {
  await using viewer = await Viewer.open("#/settings", { colorScheme: "light" });
  const { page } = viewer;
  await page.getByRole("button", { name: "dark", exact: true }).click();
  await page.getByRole("button", { name: "°F" }).click();
  await page.getByRole("spinbutton", { name: "Price per kWh" }).fill("0.30");
  await page.getByRole("combobox", { name: "Refresh interval" }).selectOption("1");
  await page.reload();
  await page.getByText("Price per kWh", { exact: true }).waitFor();
  expect(await page.evaluate("document.documentElement.dataset.theme")).toBe("dark");
  await page.getByText("Live, every 1").waitFor();
  await page.goto(`${edgeUrl()}/#/system`);
  await page.getByText("°F").first().waitFor();
  await page.getByText(/at this rate €/).waitFor();
});

test("with refresh off nothing is asked until the button is pressed", async () => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  await page.getByRole("combobox", { name: "Refresh interval" }).selectOption("0");
  await page.getByText("Refresh is off").waitFor();
  const before = viewer.asked.filter((asked) => asked.includes("/api/live")).length;
  await page.getByRole("button", { name: "Refresh now" }).click();
  await expect
    .poll(() => viewer.asked.filter((asked) => asked.includes("/api/live")).length)
    .toBe(before + 1);
});

test("what the edge is set to is shown, and text can be switched off and on", async () => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  const texts = page.getByRole("switch", { name: "Keep prompts and responses" });
  const logContent = async () =>
    ((await (await fetch(`${edgeUrl()}/api/config`)).json()) as { log_content: string })
      .log_content;
  await texts.click();
  await expect.poll(logContent).toBe("off");
  await expect.poll(async () => (await texts.isEnabled()) && !(await texts.isChecked())).toBe(true);
  await texts.click();
  await expect.poll(logContent).toBe("on");
  await page.getByText("/agent/install.sh").first().waitFor();
});

test("metrics are cleared after the words were typed, and not before", async () => {
  await callModel({ model: "llama3.2" });
  const clearedAt = async () =>
    DataSummary.parse(await (await fetch(`${edgeUrl()}/api/data/summary`)).json())
      .metrics_cleared_at;
  const before = await clearedAt();
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  await page.getByRole("button", { name: "Clear the metrics …" }).click();
  const dialog = page.getByRole("dialog", { name: "Clear the metrics" });
  await dialog.getByRole("textbox").fill("clear");
  expect(await dialog.getByRole("button", { name: "Clear the metrics" }).isDisabled()).toBe(true);
  expect(await clearedAt()).toBe(before);
  await dialog.getByRole("textbox").fill("clear metrics");
  await dialog.getByRole("button", { name: "Clear the metrics" }).click();
  await dialog.waitFor({ state: "detached" });
  expect(await clearedAt()).not.toBe(before);
});

test("the totals are saved as JSON", async () => {
  await using viewer = await Viewer.open("#/settings");
  const [saved] = await Promise.all([
    viewer.page.waitForEvent("download"),
    viewer.page.getByRole("button", { name: "Export the totals (JSON)" }).click(),
  ]);
  expect(saved.suggestedFilename()).toMatch(/^metrics-.*\.json$/);
});

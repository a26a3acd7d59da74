/** The settings of the browser and the edge, and the stored data. */
import { expect, test } from "vitest";
import { energy, money } from "../../dashboard/shape/format.ts";
import { Costs } from "../../protocol/api/costs.ts";
import { DataSummary } from "../../protocol/api/data.ts";
import { TariffState } from "../../protocol/api/tariff.ts";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test("keeps theme, units and refresh interval after a reload", async () => {
  await using viewer = await Viewer.open("#/settings", { colorScheme: "light" });
  const { page } = viewer;
  await page.getByRole("button", { name: "Dark", exact: true }).click();
  await page.getByRole("button", { name: "°F" }).click();
  await page.getByRole("combobox", { name: "Refresh interval" }).selectOption("1");
  await page.reload();
  await page.getByText("Price per kWh", { exact: true }).first().waitFor();
  expect(await page.evaluate("document.documentElement.dataset.theme")).toBe("dark");
  await page.getByText("Live, every 1").waitFor();
  await page.goto(`${edgeUrl()}/#/system`);
  await page.getByText("°F").first().waitFor();
});

test("sets a price per kWh by hour, shows what is wrong with it, and then the costs", async () => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  const region = page.locator("form.tariff");
  const price = (name: string) => region.getByRole("spinbutton", { name, exact: true });
  await price("Price per kWh").fill("0.30");
  await price("Grams of CO₂ per kWh").fill("380");
  await region.getByRole("button", { name: "Add hours" }).click();
  await price("Price 2 per kWh").fill("0.2");
  await region.getByRole("combobox", { name: "Price 2 per kWh: to" }).selectOption("4");
  await region.getByRole("button", { name: "Save price" }).click();
  await region.getByText("default.prices: hours without a price: 4, 5.").waitFor();
  await region.getByRole("button", { name: "Remove Price 2 per kWh" }).click();
  await region.getByRole("combobox", { name: "Currency" }).selectOption("USD");
  await price("Price to compare with, per million tokens of prompts").fill("0.5");
  await price("Price to compare with, per million generated tokens").fill("1.5");
  await region.getByRole("button", { name: "Save price" }).click();
  await region.getByText("Saved. It applies from now on.").waitFor();
  const { tariff } = TariffState.parse(await (await fetch(`${edgeUrl()}/api/tariff`)).json());
  expect(tariff).toMatchObject({
    currency: "USD",
    default: { prices: [{ from: 0, to: 24, price_per_kwh: 0.3 }], co2_g_per_kwh: 380 },
    compared_with: { input_per_million: 0.5, output_per_million: 1.5 },
  });
  await callModel({ model: "llama3.2" });
  const costs = async () =>
    Costs.parse(await (await fetch(`${edgeUrl()}/api/costs?by=box`)).json());
  await expect.poll(async () => (await costs()).rows.some(({ cost }) => cost !== null)).toBe(true);
  await page.goto(`${edgeUrl()}/#/system`);
  await page.getByText(/\$[\d.]+ per day at this rate/).waitFor();
  await page.getByRole("link", { name: "Usage & energy", exact: true }).click();
  const table = page.getByRole("region", { name: "Table of usage and energy" });
  await table.getByRole("columnheader", { name: "At your price" }).waitFor();
  // The table shows the joules and the money of the API.
  const [response] = await Promise.all([
    page.waitForResponse((answer) => new URL(answer.url()).searchParams.get("by") === "box"),
    page.getByRole("group", { name: "Divided by" }).getByRole("button", { name: "Box" }).click(),
  ]);
  const { rows, currency } = Costs.parse(await response.json());
  expect(currency).toBe("USD");
  const named = rows.filter(({ group, cost }) => group !== null && cost !== null);
  expect(named.length).toBeGreaterThan(0);
  for (const row of named) {
    const shown = table.getByRole("row").filter({
      has: page.getByRole("rowheader", { name: String(row.group), exact: true }),
    });
    await shown.getByText(energy(row.energy_j), { exact: true }).waitFor();
    await shown
      .getByText(money(row.cost ?? 0, "USD"), { exact: true })
      .first()
      .waitFor();
  }
  await page.getByRole("button", { name: "Key", exact: true }).click();
  await table.getByRole("rowheader", { name: "No key", exact: true }).waitFor();
  await page.goto(`${edgeUrl()}/#/settings`);
  await region.getByRole("button", { name: "Remove price" }).click();
  await region.getByText("Removed.").waitFor();
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

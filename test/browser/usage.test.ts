/** Usage & energy: who used how much, what of it was unused, and what it cost, in at most three clicks. */
import { afterAll, beforeAll, test } from "vitest";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

const setTariff = (body: object | null) =>
  fetch(`${edgeUrl()}/api/tariff`, {
    method: body === null ? "DELETE" : "PUT",
    ...(body !== null && { body: JSON.stringify(body) }),
  });

// All costs of an edge have one currency, so that of the other tests.
beforeAll(async () => {
  const prices = [{ from: 0, to: 24, price_per_kwh: 0.4 }];
  await setTariff({ currency: "USD", default: { prices, co2_g_per_kwh: 300 } });
  await Promise.all([callModel({ model: "llama3.2" }), callModel({ model: "mistral" })]);
});

afterAll(() => setTariff(null));

test.concurrent("answers which key used the most energy this week in three clicks", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByRole("link", { name: "Usage & energy", exact: true }).click();
  await page.getByRole("button", { name: "Key", exact: true }).click();
  await page.getByRole("button", { name: "This week", exact: true }).click();
  const table = page.getByRole("region", { name: "Table of usage and energy" });
  await table.getByRole("columnheader", { name: "Key", exact: true }).waitFor();
  await table.getByRole("rowheader", { name: "No key", exact: true }).waitFor();
  expect(new URL(page.url()).hash).toMatch(/^#\/usage\?by=key&from=[^&]+Z$/);
  await page.getByRole("button", { name: /^Time: This week/ }).waitFor();
  expect(viewer.errors).toEqual([]);
});

test.concurrent("answers what a model cost last month, and how much of it was unused, in two clicks", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.route("**/api/costs?*", async (route) => {
    const answer = (await (await route.fetch()).json()) as { rows: object[]; total: object };
    const row = { ...answer.total, group: "big:70b", key_name: null, energy_j: 7.2e6, cost: 0.8 };
    const unused = { unused_share: 0.25, standing_cost: 0.2, idle_cost: null };
    const { from } = answer as unknown as { from: string };
    const periods = [{ period: from.slice(0, 10), parts: [{ ...row, unused_energy_j: 1.8e6 }] }];
    await route.fulfill({ json: { ...answer, rows: [{ ...row, ...unused }], periods } });
  });
  await page.getByRole("link", { name: "Usage & energy", exact: true }).click();
  await page.getByRole("button", { name: "Last month", exact: true }).click();
  const row = page.getByRole("row", { name: /^big:70b/ });
  for (const text of ["2\u202fkWh", "25\u202f%", "$0.80", "$0.20"])
    await row.getByText(text, { exact: true }).waitFor();
  await page
    .getByRole("img", { name: "Energy: big:70b 1.50\u202fkWh, Unused 500\u202fWh" })
    .waitFor();
  expect(viewer.errors).toEqual([]);
});

test.concurrent("compares with a typed price, leads to the requests of a model, and exports the table", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/usage?range=24h", { acceptDownloads: true });
  const { page } = viewer;
  const table = page.getByRole("region", { name: "Table of usage and energy" });
  await page.getByRole("spinbutton", { name: "In", exact: true }).fill("1000");
  await page.getByRole("spinbutton", { name: "Out", exact: true }).fill("2000");
  await page.keyboard.press("Enter");
  await table.getByRole("columnheader", { name: "At your price" }).waitFor();
  await page.reload();
  await table.getByRole("columnheader", { name: "At your price" }).waitFor();
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Export as CSV" }).click(),
  ]);
  expect(file.suggestedFilename()).toMatch(/^usage-.*\.csv$/);
  const answer = await fetch(
    new URL(
      (await page.getByRole("link", { name: "API", exact: true }).last().getAttribute("href")) ??
        "",
      edgeUrl(),
    ),
  );
  expect(answer.status).toBe(200);
  await table.getByRole("link", { name: "llama3.2", exact: true }).click();
  await expect.poll(() => page.url()).toContain("#/requests?model=llama3.2&range=24h");
  expect(viewer.errors).toEqual([]);
});

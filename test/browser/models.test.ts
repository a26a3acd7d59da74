/** Models are pulled, preferred, loaded, unloaded and deleted from the page. */
import { expect, test } from "vitest";
import { edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

const installed = async () => {
  const { models } = (await (await fetch(`${edgeUrl()}/api/ollama/models`)).json()) as {
    models: { name: string; boxes: string[]; loaded_on: string[] }[];
  };
  return models;
};

test("pulls a model to one box, prefers it, and deletes it once its name is typed", async () => {
  await using viewer = await Viewer.open("#/models", { refreshSeconds: 1 });
  const { page } = viewer;
  await page.getByRole("searchbox").fill("phi3");
  await page.getByRole("button", { name: "Pull phi3", exact: true }).click();
  const targets = page.getByRole("dialog", { name: "Pull phi3" });
  expect(await targets.getByRole("button", { name: "Choose a box" }).isDisabled()).toBe(true);
  expect(await targets.getByRole("checkbox", { name: /^cinder/ }).isDisabled()).toBe(true);
  expect(await targets.getByText("free on disk").count()).toBe(2);
  expect(await targets.getByText("Fits in its 24 GiB VRAM").count()).toBe(1);
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await targets.getByRole("checkbox", { name: /^borealis/ }).check();
  await targets.getByRole("button", { name: "Pull to borealis" }).click();
  await page.getByText("success", { exact: true }).waitFor();
  await expect
    .poll(async () => (await installed()).find(({ name }) => name.startsWith("phi3"))?.boxes)
    .toEqual(["borealis"]);

  const row = page.getByRole("row", { name: /phi3:latest/ });
  await row.getByRole("button", { name: "Favourite: phi3:latest" }).click();
  await page.locator('button[aria-label="Favourite: phi3:latest"][aria-pressed="true"]').waitFor();
  await row.getByRole("button", { name: /Make default/ }).click();
  await row.getByText("default", { exact: true }).waitFor();

  await row.getByRole("button", { name: /Delete/ }).click();
  const dialog = page.getByRole("dialog", { name: "Delete phi3:latest" });
  const confirm = dialog.getByRole("button", { name: "Delete phi3:latest" });
  expect(await confirm.isDisabled()).toBe(true);
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await dialog.getByRole("textbox").fill("phi3:latest");
  await confirm.click();
  await row.waitFor({ state: "detached" });
  await expect
    .poll(async () => (await installed()).some(({ name }) => name.startsWith("phi3")))
    .toBe(false);
  expect(viewer.errors).toEqual([]);
});

test("loads and unloads a model on the chosen box", async () => {
  await using viewer = await Viewer.open("#/models", { refreshSeconds: 1 });
  const { page } = viewer;
  await page
    .getByRole("button", { name: "Load mistral:latest on borealis" })
    .or(page.getByRole("button", { name: "Unload mistral:latest on borealis" }))
    .waitFor();
  const unload = page.getByRole("button", { name: "Unload mistral:latest on borealis" });
  if (!(await unload.isVisible()))
    await page.getByRole("button", { name: "Load mistral:latest on borealis" }).click();
  await unload.waitFor();
  await unload.click();
  await page.getByRole("button", { name: "Load mistral:latest on borealis" }).waitFor();
});

test("deletes nothing without a confirmation", async () => {
  await using viewer = await Viewer.open("#/models");
  const { page } = viewer;
  const before = (await installed()).length;
  await page
    .getByRole("row", { name: /llama3.2:latest/ })
    .getByRole("button", { name: /Delete/ })
    .click();
  await page.getByRole("dialog").getByRole("textbox").fill("something else");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  expect((await installed()).length).toBe(before);
});

test("offers to pull an unknown model by name if the catalogue has no match", async () => {
  await using viewer = await Viewer.open("#/models");
  await viewer.page.getByRole("searchbox").fill("hf.co/nobody/nothing:Q4");
  await viewer.page.getByText("No matches in the catalogue").waitFor();
  expect(
    await viewer.page.getByRole("button", { name: "Pull hf.co/nobody/nothing:Q4" }).isEnabled(),
  ).toBe(true);
});

test("pulls nothing until a box is chosen, and shows the outcome of each chosen one", async () => {
  await using viewer = await Viewer.open("#/models", { refreshSeconds: 1 });
  const { page } = viewer;
  const pulls = () => viewer.requests.filter((request) => request.includes("/api/ollama/pull"));
  await page.getByRole("button", { name: "Pull llama3.3", exact: true }).click();
  const targets = page.getByRole("dialog", { name: "Pull llama3.3" });
  await targets.getByText("Larger than its 24 GiB VRAM: runs partly on the CPU").waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await targets.waitFor({ state: "detached" });
  expect(pulls()).toEqual([]);

  await page.route("**/api/ollama/pull?box=atlas", (route) =>
    route.fulfill({ status: 507, json: { error: { code: "full", message: "The disk is full." } } }),
  );
  await page.getByRole("searchbox").fill("tinyllama");
  await page.getByRole("button", { name: "Pull tinyllama", exact: true }).click();
  for (const name of [/^atlas/, /^borealis/]) await page.getByRole("checkbox", { name }).check();
  await page.getByRole("button", { name: "Pull to 2 boxes" }).click();
  const outcome = page.locator(".pulling");
  await outcome.getByRole("alert").filter({ hasText: "The disk is full." }).waitFor();
  await outcome.getByText("error", { exact: true }).waitFor();
  await outcome.getByText("done", { exact: true }).waitFor();
  expect(pulls()).toHaveLength(2);
});

test("marks the simulated box among those that have a model", async () => {
  await using viewer = await Viewer.open("#/models");
  const row = viewer.page.getByRole("row", { name: /qwen3:8b/ });
  const marksOf = async (box: string) =>
    row.getByRole("listitem").filter({ hasText: box }).getByText("simulated").count();
  await expect.poll(() => marksOf("atlas")).toBe(1);
  expect(await marksOf("borealis")).toBe(0);
});

test("keeps a model in memory in some hours, or always, and stops it", async () => {
  await using viewer = await Viewer.open("#/models", { refreshSeconds: 1 });
  const { page } = viewer;
  await page.getByRole("button", { name: "Keep… qwen3:8b on atlas" }).click();
  const dialog = page.getByRole("dialog", { name: "Keep qwen3:8b in memory on atlas" });
  await dialog.getByRole("button", { name: "In some hours" }).click();
  await dialog.getByRole("combobox", { name: "From" }).selectOption("22");
  await dialog.getByRole("combobox", { name: "To" }).selectOption("6");
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await dialog.getByRole("combobox", { name: "Time zone of the hours" }).fill("Mars/Base");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByRole("alert").getByText("not a time zone").waitFor();
  await dialog.getByRole("combobox", { name: "Time zone of the hours" }).fill("Asia/Tokyo");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("kept 22–6\u202fh Asia/Tokyo").waitFor();

  await page.getByRole("button", { name: "Kept… qwen3:8b on atlas" }).click();
  await dialog.getByRole("button", { name: "Always" }).click();
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("kept always").waitFor();
  const unload = page.getByRole("button", { name: "Unload qwen3:8b on atlas" });
  await unload.click();
  const asked = page.getByRole("dialog", { name: "Unload qwen3:8b on atlas" });
  await asked.getByText("loads it again soon").waitFor();
  await asked.getByRole("button", { name: "Cancel" }).click();

  await page.getByRole("button", { name: "Kept… qwen3:8b on atlas" }).click();
  await dialog.getByRole("button", { name: "No", exact: true }).click();
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Keep… qwen3:8b on atlas" }).waitFor();
  expect(viewer.errors).toEqual([expect.stringContaining("status of 400")]); // the zone
});

test("answers whether a model fits with a context, and where", async () => {
  await using viewer = await Viewer.open("#/models", {
    refreshSeconds: 1,
    // As tall as the page: the navigation at its bottom covers no button.
    viewport: { width: 360, height: 6_000 },
  });
  const { page } = viewer;
  await page.getByRole("combobox", { name: "Model to place" }).selectOption("llama3.2:latest");
  await page.getByRole("spinbutton", { name: "Context in tokens" }).fill("8192");
  const answer = page.getByRole("status").filter({ hasText: "llama3.2:latest" });
  await answer.getByText("with a context of 8,192").waitFor();
  for (const box of ["atlas", "borealis", "cinder"])
    expect(await answer.getByRole("listitem").filter({ hasText: box }).count()).toBe(1);
  expect(await answer.getByText("not connected").count()).toBe(1);
  expect(await viewer.accessibilityViolations()).toEqual([]);
  const isWide = await page.evaluate<boolean>(
    "document.querySelector('.scroll').scrollWidth > document.querySelector('.scroll').clientWidth",
  );
  expect(isWide).toBe(false); // each model is a card, and nothing scrolls sideways
});

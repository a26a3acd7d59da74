/** The pages of one box and one model: what they show, and the way there and on to a request. */
import { expect, test } from "vitest";
import { callModel, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test.concurrent("leads from a box to its model and to a request in three clicks", async ({
  expect,
}) => {
  await callModel({ model: "llama3.2" }, "atlas");
  await using viewer = await Viewer.open("#/", { refreshSeconds: 1 });
  const { page } = viewer;
  await page.getByRole("link", { name: "atlas", exact: true }).first().click();
  await page.getByRole("heading", { level: 1, name: "atlas" }).waitFor();
  const models = page.getByRole("region", { name: "Models", exact: true });
  await models.getByText("GiB VRAM").first().waitFor();
  await page.locator(".not-yet").scrollIntoViewIfNeeded();
  await page.getByText("GPU utilization").waitFor();
  await page.getByRole("table").getByRole("link", { name: "llama3.2" }).waitFor();
  await models.getByRole("link", { name: "llama3.2", exact: true }).last().click();
  await page.getByRole("heading", { level: 1, name: "llama3.2" }).waitFor();
  expect(page.url()).toContain("box=atlas");
  await page.getByRole("region", { name: "Where it is" }).getByText("loaded").first().waitFor();
  await page.getByText("Waited for a load").waitFor();
  await page
    .getByRole("region", { name: "Newest requests", exact: true })
    .getByRole("link")
    .first()
    .click();
  await page.getByRole("heading", { name: /llama3.2 on atlas/ }).waitFor();
  expect(viewer.errors).toEqual([]);
});

test.concurrent("unloads and loads a model on the page of its box", async ({ expect }) => {
  await callModel({ model: "mistral" }, "borealis");
  await using viewer = await Viewer.open("#/box?box=borealis", { refreshSeconds: 1 });
  const { page } = viewer;
  await page.getByRole("button", { name: "Unload mistral:latest on borealis" }).click();
  await page.getByRole("button", { name: "Load mistral:latest on borealis", exact: true }).click();
  await page.getByRole("button", { name: "Unload mistral:latest on borealis" }).waitFor();
  expect(viewer.errors).toEqual([]);
});

test.concurrent.for([
  ["#/box", "Which box?"],
  ["#/box?box=nowhere", "No box is named nowhere"],
  ["#/model", "Which model?"],
  ["#/model?model=nothing%3A1b", "on no connected box"],
])("shows a choice, or that nothing is there, at %s", async ([hash, text]) => {
  await using viewer = await Viewer.open(hash ?? "");
  await viewer.page.getByText(text ?? "", { exact: true }).waitFor();
  expect(viewer.errors).toEqual([]);
});

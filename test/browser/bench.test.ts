/** Benches are started, cancelled and compared on the Models page. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { TestStack } from "../support/stack.ts";
import { useBrowser, Viewer } from "./viewer.ts";

useBrowser();

const MODEL = "llama3.2:latest";
const PLACE = `${MODEL} on atlas`;

let stack: TestStack;
let ollama: SimulatedOllama;

beforeAll(async () => {
  [stack, ollama] = await Promise.all([
    TestStack.start(),
    startSimulatedOllama({ models: [MODEL], tokenMs: 1, loadMsPerGb: 0 }),
  ]);
  await stack.startAgent({ name: "atlas", ollamaUrl: ollama.url, env: { SIMULATED: "1" } });
});

afterAll(() => Promise.all([stack[Symbol.asyncDispose](), ollama.close()]));

async function openBench(): Promise<Viewer> {
  const viewer = await Viewer.open("#/models", { refreshSeconds: 1 }, stack.url);
  await viewer.page.getByLabel("Model and box to measure").selectOption({ label: PLACE });
  return viewer;
}

test("measures a model on a box, and shows the change of the second run against the first", async () => {
  await using viewer = await openBench();
  const { page } = viewer;
  await page.getByText("Nothing was measured yet").waitFor();
  const section = page.getByRole("region", { name: "Bench", exact: true });
  const start = section.getByRole("button", { name: "Start bench" });
  const rows = section.getByRole("table").getByRole("row");
  for (const runs of [1, 2]) {
    // The second run would find the model in memory.
    if (runs === 2) await section.getByLabel("Unload first, to measure the load").check();
    await start.click();
    await section.getByText("done", { exact: true }).waitFor();
    // The heading, and one row for each length of the prompt.
    await expect.poll(() => rows.count()).toBe(1 + 3 * runs);
    await section.getByRole("button", { name: "Close bench" }).click();
  }
  const newest = await rows.nth(1).innerText();
  expect(newest).toContain(MODEL);
  expect(newest).toContain("simulated");
  expect(newest).toMatch(/tok\/s\s+[+−±]/);
  expect(newest).toContain("no GPU");
  // The load of both runs is known.
  for (const row of [1, 4]) expect(await rows.nth(row).innerText()).toMatch(/\sms\s+Ollama/);
  // Without a GPU the energy is a dash, and not 0.
  expect(newest).toContain("–");
  expect(await viewer.accessibilityViolations()).toEqual([]);
  expect(await viewer.overflow()).toBeLessThanOrEqual(0);
  expect(viewer.errors).toEqual([]);
});

test("cancels a bench", async () => {
  await using viewer = await openBench();
  const { page } = viewer;
  await page.getByRole("button", { name: "Start bench" }).click();
  await page.getByText(/Prompts of|Loading the model/).waitFor();
  await page.getByRole("button", { name: "Cancel bench" }).click();
  await page.getByText("Cancelled").waitFor();
  // The box is free again.
  await expect.poll(async () => (await stack.boxes())[0]?.in_flight).toBe(0);
});

test("shows why a bench failed", async () => {
  await using viewer = await openBench();
  const { page } = viewer;
  await page.route("**/api/boxes/atlas/bench", (route) =>
    route.fulfill({ status: 409, json: { error: { code: "bench_running", message: "Busy." } } }),
  );
  await page.getByRole("button", { name: "Start bench" }).click();
  await page.getByRole("alert").filter({ hasText: "Busy." }).waitFor();
});

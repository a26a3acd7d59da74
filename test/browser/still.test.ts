/** Each page stays still for five minutes of traffic: nothing moves under the eyes of its reader. */
import { beforeAll, test } from "vitest";
import { PageTraffic, SHIFT_MAX, STEP_SECONDS, STEPS } from "../support/page-traffic.ts";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

beforeAll(async () => {
  await Promise.all([
    callModel({ model: "llama3.2" }),
    callModel({ model: "qwen3:8b" }),
    callModel({ model: "mistral" }),
  ]);
});

test.concurrent.for([
  "#/",
  "#/requests",
  "#/models",
  "#/system",
  "#/usage",
  "#/alerts",
  "#/boxes",
  "#/box?box=atlas",
  "#/model?model=llama3.2",
])("keeps $0 still for five minutes of traffic", async (hash, { expect }) => {
  await using viewer = await Viewer.open("assets/docs.css", { refreshSeconds: STEP_SECONDS });
  const { page } = viewer;
  const traffic = await PageTraffic.open(page, edgeUrl(), hash);
  await page.locator(".page:not(:has(.skeleton))").waitFor();
  await traffic.watch();
  for (let step = 0; step < STEPS; step++) await traffic.step();
  const { shift, moved } = await traffic.end();
  expect(shift, moved.join("\n")).toBeLessThan(SHIFT_MAX);
  expect(viewer.errors).toEqual([]);
});

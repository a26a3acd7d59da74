/** What is not the normal day: no network, an edge that fails, a stream that breaks, nobody looking. */
import { expect, test } from "vitest";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test("offline, what was read stays, grey and with its age; back online, it lives again", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByText("Total Requests").waitFor();
  await page.route("**/api/**", (route) => route.abort());
  await page.getByRole("button", { name: "Refresh now" }).click();
  await page.getByText("The edge does not answer.").waitFor();
  expect(await page.locator(".page.stale").count()).toBe(1);
  expect(await page.getByText("Total Requests").isVisible()).toBe(true);
  await page.unroute("**/api/**");
  await page.getByRole("button", { name: "Try now" }).click();
  await page.getByText(/^Live/).waitFor();
  expect(await page.locator(".page.stale").count()).toBe(0);
});

test("a stream that is cut is opened anew by itself, and nobody is alarmed", async () => {
  await using proxy = await CuttingProxy.start(Number(new URL(edgeUrl()).port));
  await using viewer = await Viewer.open("#/", { refreshSeconds: 1 }, proxy.url);
  const { page } = viewer;
  await page.getByText(/^Live/).waitFor();
  const streams = () => viewer.asked.filter((asked) => asked.includes("/api/live")).length;
  const before = streams();
  await page.evaluate(`
    globalThis.alarms = 0;
    new MutationObserver(() => (globalThis.alarms += document.querySelectorAll(".banner.bad").length))
      .observe(document.body, { subtree: true, childList: true });
  `);
  proxy.cut();
  await page.getByText("Connecting …").waitFor();
  await page.getByText(/^Live/).waitFor();
  expect(streams()).toBe(before + 1);
  expect(await page.evaluate("globalThis.alarms")).toBe(0);
});

const BROKEN = {
  error: {
    code: "internal",
    message: "Something broke in the edge.",
    failed_at: "gateway",
    request_id: null,
  },
};

test("an edge that answers with an error says so, everywhere that it matters, and is asked again", async () => {
  await callModel({ model: "llama3.2" });
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByText("Total Requests").waitFor();
  await page.route("**/api/**", (route) => route.fulfill({ status: 500, json: BROKEN }));
  await page.getByRole("button", { name: "Refresh now" }).click();
  await page
    .getByRole("alert")
    .filter({ hasText: "The edge fails Something broke in the edge." })
    .waitFor();
  expect(await page.getByText("Failing").isVisible()).toBe(true);

  await page.getByRole("link", { name: "Requests", exact: true }).click();
  const failure = page
    .getByRole("alert")
    .filter({ hasText: "The list could not be read. Something broke in the edge." });
  await failure.waitFor();
  await page.unroute("**/api/**");
  await failure.getByRole("button", { name: "Try again" }).click();
  await page.locator("tr.row").first().waitFor();
  expect(await failure.count()).toBe(0);
});

test("a page whose program is not there any more says so, and can be loaded again", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByText("Total Requests").waitFor();
  await page.route("**/assets/models.js", (route) => route.abort());
  await page.getByRole("link", { name: "Models", exact: true }).click();
  const failure = page
    .getByRole("alert")
    .filter({ hasText: "It could not be loaded: there may be a new version." });
  await failure.waitFor();
  await page.unroute("**/assets/models.js");
  await failure.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "On the boxes" }).waitFor();
});

test("where a stream does not come through, polling does", async () => {
  await using viewer = await Viewer.open("#/settings", { refreshSeconds: 1 });
  const { page } = viewer;
  // Some proxies hold a stream back: no event ever arrives.
  await page.route("**/api/live?every=*", () => {});
  await page.clock.install();
  await page.reload();
  await page.clock.fastForward(6_500);
  await page.getByText(/^Every 1/).waitFor();
});

test("nothing is asked while nobody looks, and the stream is closed", async () => {
  await using viewer = await Viewer.open("#/", { refreshSeconds: 1 });
  const { page } = viewer;
  await page.clock.install();
  await page.reload();
  await page.getByText("Live, every 1").waitFor();
  const closed = page.waitForEvent("requestfailed", (request) =>
    request.url().includes("/api/live"),
  );
  await page.evaluate(`
    Object.defineProperty(document, "hidden", { get: () => globalThis.isAway === true, configurable: true });
    globalThis.isAway = true;
    document.dispatchEvent(new Event("visibilitychange"));
  `);
  await page.getByText("Paused").waitFor();
  await closed;
  const before = viewer.asked.length;
  await page.clock.runFor(120_000);
  expect(viewer.asked.length).toBe(before);
  await page.evaluate(
    'globalThis.isAway = false; document.dispatchEvent(new Event("visibilitychange"))',
  );
  await page.getByText(/^Live/).waitFor();
  expect(viewer.asked.length).toBeGreaterThan(before);
});

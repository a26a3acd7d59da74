/** Abnormal states: no network, a failing edge, a broken stream, a hidden page. */
import { expect, test } from "vitest";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test.concurrent("keeps the data greyed out with its age while offline, and recovers once online", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByText("Total requests").waitFor();
  await page.route("**/api/**", (route) => route.abort());
  await page.getByRole("button", { name: "Refresh now" }).click();
  await page.getByText("The edge is not responding.").waitFor();
  expect(await page.locator(".page.stale").count()).toBe(1);
  expect(await page.getByText("Total requests").isVisible()).toBe(true);
  await page.unroute("**/api/**");
  await page.getByRole("button", { name: "Retry now" }).click();
  await page.getByText(/^Live/).waitFor();
  expect(await page.locator(".page.stale").count()).toBe(0);
});

test.concurrent("reopens a stream that was cut without showing an alarm", async () => {
  await using proxy = await CuttingProxy.start(Number(new URL(edgeUrl()).port));
  await using viewer = await Viewer.open("#/", { refreshSeconds: 1 }, proxy.url);
  const { page } = viewer;
  await page.getByText(/^Live/).waitFor();
  const streams = () => viewer.requests.filter((request) => request.includes("/api/live")).length;
  const before = streams();
  await page.evaluate(`
    globalThis.alarms = 0;
    new MutationObserver(() => (globalThis.alarms += document.querySelectorAll(".banner.bad").length))
      .observe(document.body, { subtree: true, childList: true });
  `);
  proxy.cut();
  await page.getByText("Connecting…").waitFor();
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

test.concurrent("shows the error of a failing edge in the banner and on the page, and retries", async () => {
  await callModel({ model: "llama3.2" });
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByText("Total requests").waitFor();
  await page.route("**/api/**", (route) => route.fulfill({ status: 500, json: BROKEN }));
  await page.getByRole("button", { name: "Refresh now" }).click();
  await page
    .getByRole("alert")
    .filter({ hasText: "Edge error Something broke in the edge." })
    .waitFor();
  expect(await page.getByRole("status").filter({ hasText: "Edge error" }).isVisible()).toBe(true);

  await page.getByRole("link", { name: "Requests", exact: true }).click();
  const failure = page
    .getByRole("alert")
    .filter({ hasText: "Could not load the requests. Something broke in the edge." });
  await failure.waitFor();
  const again = await failure.getByRole("button", { name: "Try again" }).elementHandle();
  await page.unroute("**/api/**");
  // At once: on a busy machine, the page would have tried again by itself before a click.
  await again?.dispatchEvent("click");
  await page.locator("tr.row").first().waitFor();
  expect(await failure.count()).toBe(0);
});

test.concurrent("reports a page whose code cannot be loaded, and reloads it", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByText("Total requests").waitFor();
  // As after a deployment: the file of the open page is gone.
  await page.route("**/assets/immutable/models-*.js", (route) => route.fulfill({ status: 404 }));
  await page.getByRole("link", { name: "Models", exact: true }).click();
  const failure = page
    .getByRole("alert")
    .filter({ hasText: "A new version may have been deployed." });
  await failure.waitFor();
  await page.unroute("**/assets/immutable/models-*.js");
  await failure.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "Installed models" }).waitFor();
});

test.concurrent("polls if the event stream is blocked", async () => {
  await using viewer = await Viewer.open("#/settings", { refreshSeconds: 1 });
  const { page } = viewer;
  // Some proxies buffer a stream, so that no event ever arrives.
  await page.route("**/api/live?every=*", () => {});
  await page.clock.install();
  await page.reload();
  await page.clock.fastForward(6_500);
  await page.getByText(/^Polling every 1/).waitFor();
});

test.concurrent("closes the stream and sends nothing while the page is hidden", async () => {
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
  const before = viewer.requests.length;
  await page.clock.runFor(120_000);
  expect(viewer.requests.length).toBe(before);
  await page.evaluate(
    'globalThis.isAway = false; document.dispatchEvent(new Event("visibilitychange"))',
  );
  await page.getByText(/^Live/).waitFor();
  expect(viewer.requests.length).toBeGreaterThan(before);
});

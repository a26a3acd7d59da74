/** `/api/docs`: readable on every screen, under a policy of its own, and its requests can be tried. */
import { test } from "vitest";
import { edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test.concurrent.for(["light", "dark"] as const)(
  "describes the API in the %s theme, from phone to wall display, and sends a request of the reader",
  async (colorScheme, { expect }) => {
    await using viewer = await Viewer.open("api/docs", { colorScheme });
    const { page } = viewer;
    const route = page.locator("article", { has: page.locator("#activity") });
    await route.getByText(`curl '${edgeUrl()}/api/stats/activity'`).waitFor();
    for (const width of [360, 1_280, 3_840]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await viewer.overflow(), `at ${width} px`).toBeLessThanOrEqual(0);
    }
    await page.setViewportSize({ width: 360, height: 900 });
    expect(await viewer.accessibilityViolations()).toEqual([]);
    await route.getByLabel("seconds", { exact: true }).fill("900");
    await route.getByRole("button", { name: "Try it" }).click();
    await route.getByText(/^HTTP 200, \d+ ms\n\{\n {2}"from"/).waitFor();
    await route.getByLabel("seconds", { exact: true }).fill("1");
    await route.getByRole("button", { name: "Try it" }).click();
    await route.getByText(/^HTTP 400, .*\n\{\n {2}"error"/).waitFor();
    expect(viewer.requests.at(-1)).toBe(`GET ${edgeUrl()}/api/stats/activity?seconds=1`);
    expect(viewer.errors.filter((error) => !error.includes("400"))).toEqual([]);
  },
);

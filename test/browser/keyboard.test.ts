/** By keyboard alone: every page and dialog can be walked through, both ways, and one sees where one is. */
import { expect, test } from "vitest";
import { useBrowser, Viewer } from "./viewer.ts";

useBrowser();

const PAGES = ["#/", "#/requests?model=llama3.2", "#/models", "#/system", "#/chat", "#/settings"];
const WIDTHS = [1280, 360];

type Stop = { what: string; hasName: boolean; hasRing: boolean; isSeen: boolean };

/** Where the focus is, and what is wrong with it; null when it is nowhere. */
const STOP = `(() => {
  const at = document.activeElement;
  if (at === null || at === document.body) return null;
  const name = at.ariaLabel || at.innerText || at.title || [...(at.labels ?? [])].map((label) => label.innerText).join() || at.placeholder || "";
  const { outlineStyle, outlineWidth } = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  // Some point of it is not under something else.
  const isOnTop = [0.1, 0.5, 0.9].some((x) => [0.2, 0.5, 0.8].some((y) => {
    const top = document.elementFromPoint(box.left + x * box.width, box.top + y * box.height);
    return top !== null && (at.contains(top) || [...(at.labels ?? [])].some((label) => label.contains(top)));
  }));
  return {
    what: at.tagName.toLowerCase() + " " + name.trim().slice(0, 60),
    hasName: name.trim() !== "",
    hasRing: outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 2,
    isSeen: isOnTop,
  };
})()`;

/** What can be reached by keyboard at all, in number. */
const REACHABLE = `[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((each) => !each.disabled && each.checkVisibility({ visibilityProperty: true })).length`;

/** Presses a key until the focus has left the page again. */
async function walk({ page }: Viewer, key: "Tab" | "Shift+Tab", limit: number): Promise<Stop[]> {
  const stops: Stop[] = [];
  for (let presses = 0; presses <= limit; presses++) {
    await page.keyboard.press(key);
    const stop = await page.evaluate<Stop | null>(STOP);
    if (stop === null) return stops;
    stops.push(stop);
  }
  throw new Error(`the focus does not leave the page: ${stops.at(-1)?.what}`);
}

test.each(PAGES)(
  "%s: every control is reached, both ways, has a name, and shows that it has the focus",
  async (hash) => {
    // Without a refresh, or the walk would be over other things than were counted.
    await using viewer = await Viewer.open(hash, { refreshSeconds: 0 });
    const { page } = viewer;
    await page.locator(".page:not(:has(.skeleton))").waitFor();
    await page.waitForLoadState("networkidle");
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 700 });
      const reachable = await page.evaluate<number>(REACHABLE);
      for (const key of ["Tab", "Shift+Tab"] as const) {
        const stops = await walk(viewer, key, reachable + 5);
        expect(stops.length).toBe(reachable);
        expect(
          stops.filter(({ hasName, hasRing, isSeen }) => !hasName || !hasRing || !isSeen),
        ).toEqual([]);
      }
    }
  },
);

test("the first stop leads past the navigation, and another page is read from its top", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  const focused = (what: string) => page.evaluate<string>(`document.activeElement.${what}`);
  await page.getByText("Total Requests").waitFor();
  await page.keyboard.press("Tab");
  expect(await focused("textContent")).toContain("To the content");
  await page.keyboard.press("Enter");
  expect(await focused("id")).toBe("main");
  const link = page
    .getByRole("navigation", { name: "Pages" })
    .getByRole("link", { name: "Settings" });
  await link.focus();
  await page.keyboard.press("Enter");
  await page.getByText("Price per kWh", { exact: true }).waitFor();
  expect(await page.title()).toContain("Settings");
  expect(await focused("id")).toBe("main");
});

test("a dialog keeps the focus until it is closed, and gives it back", async () => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  // It is not, until the page knows what its key may.
  const opener = page.getByRole("button", { name: "Clear the metrics …", disabled: false });
  await opener.waitFor();
  await opener.focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Clear the metrics" });
  // Not just closed: it is taken away a moment later.
  const isGone = () => page.locator("dialog").waitFor({ state: "detached" });
  await dialog.waitFor();
  expect(await page.evaluate("document.activeElement.id")).toBe("confirm-typed");
  for (const key of ["Tab", "Tab", "Tab", "Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab"]) {
    await page.keyboard.press(key);
    // Outside of it there is only the browser itself.
    expect(
      await page.evaluate(
        "document.activeElement === document.body || document.activeElement.closest('dialog') !== null",
      ),
    ).toBe(true);
  }
  await page.keyboard.press("Escape");
  await isGone();
  const hasFocus = () => opener.and(page.locator(":focus")).count();
  expect(await hasFocus()).toBe(1);

  await page.keyboard.press("Enter");
  await dialog.waitFor();
  await page.keyboard.type("clear metrics");
  await page.keyboard.press("Enter");
  await isGone();
  expect(await hasFocus()).toBe(1);
});

test("nothing moves for who does not want that", async () => {
  const moving = async (reducedMotion: "reduce" | "no-preference") => {
    await using viewer = await Viewer.open("#/settings", { reducedMotion });
    await viewer.page.route("**/api/**", () => {});
    await viewer.page.reload();
    await viewer.page.locator(".skeleton").first().waitFor();
    // What goes with scrolling moves by the viewer's own hand.
    return await viewer.page.evaluate<number>(
      "document.getAnimations().filter(({ timeline }) => timeline === document.timeline).length",
    );
  };
  expect(await moving("no-preference")).toBeGreaterThan(0);
  expect(await moving("reduce")).toBe(0);
});

/**
 * Keyboard use: every page and dialog can be traversed in both directions, with a visible focus.
 */
import { expect, test } from "vitest";
import { Logs } from "../../protocol/api/logs.ts";
import { eventually } from "../support/stack.ts";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

const PAGES = [
  "#/",
  "#/requests?model=llama3.2",
  "#/models",
  "#/system",
  "#/alerts",
  "#/chat",
  "#/boxes",
  "#/connect",
  "#/settings",
];
const WIDTHS = [1280, 360];

type Stop = {
  label: string;
  hasName: boolean;
  hasRing: boolean;
  isSeen: boolean;
  /** Where it is in the window, and what lies over its middle. */
  at: string;
};

/** Describes the focused element and its faults; null if nothing has the focus. */
const STOP = `(() => {
  const at = document.activeElement;
  if (at === null || at === document.body) return null;
  const name = at.ariaLabel || at.innerText || at.title || [...(at.labels ?? [])].map((label) => label.innerText).join() || at.placeholder || "";
  const { outlineStyle, outlineWidth } = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  // At least one point of it is not covered by another element.
  const isOnTop = [0.1, 0.5, 0.9].some((x) => [0.2, 0.5, 0.8].some((y) => {
    const top = document.elementFromPoint(box.left + x * box.width, box.top + y * box.height);
    return top !== null && (at.contains(top) || [...(at.labels ?? [])].some((label) => label.contains(top)));
  }));
  return {
    label: at.tagName.toLowerCase() + " " + name.trim().slice(0, 60),
    hasName: name.trim() !== "",
    hasRing: outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 2,
    isSeen: isOnTop,
    at: JSON.stringify(box) + " under " + document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2)?.outerHTML.slice(0, 100),
  };
})()`;

/** Counts the elements that the keyboard should reach. */
const REACHABLE = `[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((each) => !each.disabled && each.tabIndex >= 0 && each.checkVisibility({ visibilityProperty: true })).length`;

/** Resolves when the height of the page stays the same: charts are drawn again for a new width. */
const SETTLED = `new Promise((resolve) => {
  let [height, frames] = [0, 0];
  const look = () => {
    const now = document.documentElement.scrollHeight;
    frames = now === height ? frames + 1 : 0;
    height = now;
    if (frames < 10) requestAnimationFrame(look);
    else resolve();
  };
  look();
})`;

/** Presses a key until the focus leaves the page. */
async function walk({ page }: Viewer, key: "Tab" | "Shift+Tab", limit: number): Promise<Stop[]> {
  const stops: Stop[] = [];
  for (let presses = 0; presses <= limit; presses++) {
    await page.keyboard.press(key);
    const stop = await page.evaluate<Stop | null>(STOP);
    if (stop === null) return stops;
    stops.push(stop);
  }
  throw new Error(`the focus does not leave the page: ${stops.at(-1)?.label}`);
}

/** Hundreds of key presses on all pages at once, which a busy machine shares among them. */
test.concurrent.each(PAGES)(
  "reaches every control of %s in both directions, each with a name and a visible focus",
  async (hash) => {
    // Refresh is off, so that the controls do not change between the count and the walk.
    await using viewer = await Viewer.open(hash, { refreshSeconds: 0 });
    const { page } = viewer;
    await page.locator(".page:not(:has(.skeleton))").waitFor();
    await page.waitForLoadState("networkidle");
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 700 });
      await page.evaluate(SETTLED);
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

/** Leaves six pixels of a link in view in a table that scrolls, with the focus on the link after it. */
const LEAVE_SIX_PIXELS = `(() => {
  const row = [...document.querySelectorAll(".worth tr")].find((each) => each.innerText.includes("no-such-model"));
  const [, model, box] = row.querySelectorAll("a");
  const table = row.closest(".scroll");
  box.focus({ preventScroll: true });
  table.scrollLeft += model.getBoundingClientRect().right - table.getBoundingClientRect().left - 6;
})()`;

/** Returns by how many pixels the focused link begins within its table; negative if it is cut off. */
const CLEAR_OF_THE_EDGE = `document.activeElement.getBoundingClientRect().left -
  document.activeElement.closest(".scroll").getBoundingClientRect().left`;

test.concurrent("scrolls a table to the focused link even if a few pixels of it are in view already", async () => {
  await callModel({ model: "no-such-model" });
  await eventually(async () => {
    const answer = await fetch(`${edgeUrl()}/api/stats/logs?status=error&model=no-such-model`);
    return Logs.parse(await answer.json()).logs.length > 0;
  });
  const viewport = { width: 360, height: 700 };
  await using viewer = await Viewer.open("#/", { refreshSeconds: 0, viewport });
  const { page } = viewer;
  await page.locator(".worth").getByRole("link", { name: "no-such-model" }).first().waitFor();
  await page.evaluate(LEAVE_SIX_PIXELS);
  await page.keyboard.press("Shift+Tab");
  expect(await page.evaluate("document.activeElement.innerText")).toContain("no-such-model");
  expect(await page.evaluate<number>(CLEAR_OF_THE_EDGE)).toBeGreaterThanOrEqual(0);
});

test.concurrent("offers a skip link first, and moves the focus to the top of a newly opened page", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  const focused = (property: string) => page.evaluate<string>(`document.activeElement.${property}`);
  await page.getByText("Total requests").waitFor();
  await page.keyboard.press("Tab");
  expect(await focused("textContent")).toContain("Skip to content");
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

test.concurrent("keeps the focus in a dialog until it closes, then returns it to the opener", async () => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  // The button is disabled until the page knows the scopes of its key.
  const opener = page.getByRole("button", { name: "Clear metrics…", disabled: false });
  await opener.waitFor();
  await opener.focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Clear metrics" });
  // Waits until the dialog is removed, shortly after it closes.
  const isGone = () => page.locator("dialog").waitFor({ state: "detached" });
  await dialog.waitFor();
  expect(await page.evaluate("document.activeElement.id")).toBe("confirm-typed");
  for (const key of ["Tab", "Tab", "Tab", "Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab"]) {
    await page.keyboard.press(key);
    // Outside the dialog, the focus can only be in the browser's own controls.
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

test.concurrent("runs no animations if the viewer prefers reduced motion", async () => {
  const animationsWith = async (reducedMotion: "reduce" | "no-preference") => {
    await using viewer = await Viewer.open("#/settings", { reducedMotion });
    await viewer.page.route("**/api/**", () => {});
    await viewer.page.reload();
    await viewer.page.locator(".skeleton").first().waitFor();
    // Scroll-driven animations do not count: the viewer moves them.
    return await viewer.page.evaluate<number>(
      "document.getAnimations().filter(({ timeline }) => timeline === document.timeline).length",
    );
  };
  expect(await animationsWith("no-preference")).toBeGreaterThan(0);
  expect(await animationsWith("reduce")).toBe(0);
});

/**
 * Takes the pictures of docs/people.md: an owner adds a box and a member, and revokes the member's key while
 * it is used. Each step in both themes, on a desktop and on a phone; docs/images has the light ones of the desktop.
 */
import { writeFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { viewerOf } from "../support/chromium.ts";
import { eventually } from "../support/stack.ts";
import { webpOf } from "../support/webp.ts";
import { fillKey, OWNER, signIn, Walk } from "./walk.ts";

/** Narrow, so that the text is large in a document. */
const WIDTHS = [900, 360];
const HEIGHT = 900;
const DENSITY = 2;

/** @returns how many pictures were saved */
export async function shootWalk(browser: Browser, folder: string): Promise<number> {
  await using walk = await Walk.start();
  const context = await viewerOf(browser, {
    viewport: { width: 900, height: HEIGHT },
    deviceScaleFactor: DENSITY,
  });
  const page = await context.newPage();
  let taken = 0;
  const picture = async (name: string, of = "main") => {
    for (const width of WIDTHS)
      for (const colorScheme of ["light", "dark"] as const) {
        await page.setViewportSize({ width, height: HEIGHT });
        await page.emulateMedia({ colorScheme });
        // On a phone with its surroundings, to judge the layout.
        const clip = width < 500 ? {} : { clip: await page.evaluate<Clip>(clipOf(of)) };
        const path = `${folder}/walk-${name}-${colorScheme}-${width}.webp`;
        writeFileSync(path, await webpOf(page, await page.screenshot(clip)));
        taken++;
      }
    await page.setViewportSize({ width: 900, height: HEIGHT });
    await page.emulateMedia({ colorScheme: "light" });
  };

  await page.goto(`${walk.url}/#/boxes?add=box`);
  await signIn(page, OWNER);
  await page.getByRole("button", { name: "Make a join code" }).click();
  await page.locator(".countdown").waitFor();
  await picture("box-code");
  walk.join((await page.locator(".add-box pre").textContent()) ?? "");
  await page.locator(".joined").getByText("NVIDIA").waitFor();
  await picture("box-up");

  await go(page, "Keys");
  await fillKey(page, "Ada");
  await picture("key-form", "dialog");
  await page.getByRole("button", { name: "Make key" }).click();
  await page.locator(".client-setups pre").getByText("llama3.2:latest").waitFor();
  const key = (await page.locator("dialog pre").first().textContent()) ?? "";
  await picture("key-made", "dialog");
  await page.getByRole("button", { name: "Done" }).click();

  // The first answers may come before the power of the GPU is read.
  await eventually(async () => {
    await (await walk.chat(key, { stream: false })).text();
    return (await walk.ownKey(key)).key?.usage.energy_j !== null;
  });
  await page.getByRole("row", { name: /^Ada/ }).getByText(/Wh/).waitFor();
  await picture("keys");
  await page.context().clearCookies();
  await page.reload();
  await signIn(page, key);
  await page.getByLabel("Usage of this key").getByText(/Wh$/).waitFor();
  await picture("member");

  const stream = await walk.chat(key, { stream: true, max_tokens: 4_000 });
  const rest = stream.text();
  await page.context().clearCookies();
  await page.goto(`${walk.url}/#/keys`);
  await page.reload();
  await signIn(page, OWNER);
  await page.getByRole("button", { name: "Revoke Ada" }).click();
  await picture("revoke", "dialog");
  await page.getByRole("button", { name: "Revoke key" }).click();
  await eventually(async () => (await rest).includes("This API key was revoked."));
  await context.close();
  return taken;
}

type Clip = { x: number; y: number; width: number; height: number };

/** The content of an element, without the space below it. */
const clipOf = (of: string) => `(() => {
  const { x, y, width } = document.querySelector("${of}").getBoundingClientRect();
  const bottoms = [...document.querySelectorAll("${of} *")].map((each) => each.getBoundingClientRect().bottom);
  return { x, y, width, height: Math.min(${HEIGHT}, Math.max(...bottoms) + 16) - y };
})()`;

async function go(page: Page, name: string): Promise<void> {
  await page.getByRole("navigation").getByRole("link", { name, exact: true }).click();
}

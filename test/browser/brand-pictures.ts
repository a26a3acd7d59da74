/**
 * Draws the icons of the installed page and the picture that links to the project show, from the mark:
 * `dashboard/icons/icon.svg`. Run it after the mark has changed: `npm run screenshots <folder> brand`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { viewerOf } from "../support/chromium.ts";
import { webpOf } from "../support/webp.ts";

const ICONS = "dashboard/icons";
/** A launcher may cut off everything outside a circle of 80 % of the width. */
const SAFE_PART = 0.72;
const GROUND = "#0b6b4a";

const inline = (path: string, type: string): string =>
  `data:${type};base64,${readFileSync(path).toString("base64")}`;

export async function drawIcons(browser: Browser): Promise<number> {
  const mark = inline(`${ICONS}/icon.svg`, "image/svg+xml");
  const context = await viewerOf(browser);
  const page = await context.newPage();
  const sizes = [
    { name: "icon-192", size: 192, part: 1, ground: "transparent" },
    { name: "icon-512", size: 512, part: 1, ground: "transparent" },
    { name: "icon-maskable-512", size: 512, part: SAFE_PART, ground: GROUND },
  ];
  for (const { name, size, part, ground } of sizes) {
    await page.setViewportSize({ width: size, height: size });
    await page.setContent(
      `<body style="margin:0;height:100vh;display:grid;place-items:center;background:${ground}">
        <img src="${mark}" width="${size * part}" height="${size * part}">`,
    );
    await page.locator("img").evaluate("(image) => image.decode()");
    await page.screenshot({ path: `${ICONS}/${name}.png`, omitBackground: true });
  }
  await context.close();
  return sizes.length;
}

/** @param overview  a picture of the Overview in the dark theme */
export async function drawSocial(browser: Browser, overview: string, path: string): Promise<void> {
  const mark = inline(`${ICONS}/icon.svg`, "image/svg+xml");
  const context = await viewerOf(browser, { viewport: { width: 1280, height: 640 } });
  const page = await context.newPage();
  await page.setContent(`<style>
    body { margin: 0; height: 100vh; overflow: hidden; background: #0a0b0d; color: #eceef1; font-family: system-ui, sans-serif; }
    header { position: absolute; left: 72px; top: 64px; width: 1136px; }
    h1 { display: flex; align-items: center; gap: 20px; margin: 0; font-size: 50px; letter-spacing: -0.02em; }
    p { margin: 18px 0 0; font-size: 29px; line-height: 1.35; color: #98a1ac; }
    b { color: #4ade99; font-weight: 600; }
    .shot { position: absolute; left: 72px; top: 268px; width: 1136px; border: 1px solid #22262b; border-radius: 14px 14px 0 0; box-shadow: 0 0 120px #4ade9922; }
  </style><header><h1><img src="${mark}" width="60" height="60">ollama-edge-serve</h1>
  <p>Reach your Ollama GPU boxes from anywhere, and see what they do.<br><b>No server to run. No port to open.</b></p></header>
  <img class="shot" src="${inline(overview, "image/webp")}">`);
  await page.locator(".shot").evaluate("(image) => image.decode()");
  writeFileSync(path, await webpOf(page, await page.screenshot()));
  await context.close();
}

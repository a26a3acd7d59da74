/** The files of the page behind the assets of Cloudflare, and how long a browser keeps each. */
import { expect, test } from "vitest";
import { call, textOf } from "./calls.ts";

test("keeps the files that the page links for a year, and the page itself not at all", async () => {
  const page = await call("/");
  const etag = page.headers.get("etag") ?? "";
  expect([page.status, page.headers.get("cache-control")]).toEqual([200, "no-cache"]);
  const links = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)];
  // The build may put what pages share into further scripts.
  const kinds = new Set(links.map(([, path = ""]) => path.slice(path.lastIndexOf("."))));
  expect([...kinds].sort()).toEqual([".css", ".js", ".png", ".svg", ".webmanifest"]);
  for (const [, path = ""] of links) {
    const file = await call(path);
    expect([path, file.status]).toEqual([path, 200]);
    expect(file.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(file.headers.get("x-content-type-options")).toBe("nosniff");
    await file.arrayBuffer();
  }
  const again = await call("/", { headers: { "if-none-match": etag } });
  expect([again.status, again.headers.get("cache-control")]).toEqual([304, "no-cache"]);
});

test("can be installed: its manifest and all icons in it are served, and the policy allows them", async () => {
  const page = await call("/");
  expect(page.headers.get("content-security-policy")).toContain("manifest-src 'self'");
  const [, path = ""] = /rel="manifest" href="([^"]+)"/.exec(await page.text()) ?? [];
  const manifest = await (await call(path)).json<{ start_url: string; icons: { src: string }[] }>();
  expect(manifest.start_url).toBe("/");
  for (const { src } of manifest.icons) {
    const icon = await call(src);
    expect([src, icon.status]).toEqual([src, 200]);
    expect((await icon.arrayBuffer()).byteLength).toBeGreaterThan(100);
  }
  expect(manifest.icons).toHaveLength(4);
});

test("checks a file without a hash in its name again at every load", async () => {
  const style = await call("/assets/docs.css");
  expect(style.headers.get("cache-control")).toBe("no-cache");
  expect(await textOf(style)).toContain("font");
});

test("answers the files of another version with 404 and an error that is not a page", async () => {
  const answer = await call("/assets/immutable/page-00000000.js");
  expect(answer.status).toBe(404);
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(await answer.json()).toMatchObject({ error: { code: "not_found" } });
});

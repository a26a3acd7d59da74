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
  expect([...kinds].sort()).toEqual([".css", ".js", ".png", ".svg"]);
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

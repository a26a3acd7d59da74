/** The files of the page, and how long a browser keeps each. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestStack } from "../support/stack.ts";

const YEAR = "public, max-age=31536000, immutable";
let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start();
});
afterAll(() => stack?.[Symbol.asyncDispose]());

/** Returns the links in a file of the page to other files of it. */
async function linkedIn(path: string): Promise<string[]> {
  const text = await (await fetch(stack.url + path)).text();
  const links = text.matchAll(/(?:src|href)="([^"]+)"|import\(`([^`]+)`\)/g);
  return Array.from(links, ([, linked, imported = ""]) => linked ?? imported).map(
    (link) => new URL(link, stack.url + path).pathname,
  );
}

test("keeps every file that the page loads for a year, under a name with its hash", async () => {
  const linked = await linkedIn("/");
  const [script = ""] = linked.filter((path) => path.endsWith(".js"));
  const lazy = (await linkedIn(script)).filter((path) => path.endsWith(".js"));
  expect(lazy.length).toBeGreaterThanOrEqual(5);
  for (const path of [...linked, ...lazy]) {
    expect(path).toMatch(/^\/assets\/immutable\/[A-Za-z-]+-[\w-]{8}\.[a-z]+$/);
    const answer = await fetch(stack.url + path);
    expect([path, answer.status, answer.headers.get("cache-control")]).toEqual([path, 200, YEAR]);
  }
});

test("the first script contains no parser of records: the edge has checked what it sends", async () => {
  const [script = ""] = (await linkedIn("/")).filter((path) => path.endsWith(".js"));
  expect(await (await fetch(stack.url + script)).text()).not.toMatch(/ZodError|ZodType/);
});

test.each(["/", "/favicon.ico", "/assets/docs.css", "/assets/third-party-notices.txt"])(
  "checks %s again at every load, without sending it again",
  async (path) => {
    const first = await fetch(stack.url + path);
    expect([first.status, first.headers.get("cache-control")]).toEqual([200, "no-cache"]);
    const again = await fetch(stack.url + path, {
      headers: { "if-none-match": first.headers.get("etag") ?? "" },
    });
    expect([again.status, again.headers.get("cache-control")]).toEqual([304, "no-cache"]);
  },
);

test("answers the files of another version with 404 and an error that is not a page", async () => {
  for (const path of ["/assets/immutable/page-00000000.js", "/assets/page.js"]) {
    const answer = await fetch(stack.url + path);
    expect(answer.status).toBe(404);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("cache-control")).not.toBe(YEAR);
    expect(await answer.json()).toMatchObject({ error: { code: "not_found" } });
  }
});

/** The scripts that a page loads, and their compressed size, which the budgets of the page bound. */
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";

/** The budget of the first load. */
export const FIRST_LOAD_KB_MAX = 60;

export class PageScripts {
  #urls: string[] = [];

  /** Follows the scripts that the page requests from now on. */
  constructor(page: Page) {
    page.on("request", (request) => {
      if (request.resourceType() === "script") this.#urls.push(request.url());
    });
  }

  get count(): number {
    return this.#urls.length;
  }

  /** Returns the scripts so far, or since the last call, with their size in KB. */
  async take(): Promise<{ files: string[]; kb: number }> {
    const urls = this.#urls;
    this.#urls = [];
    const sizes = await Promise.all(
      urls.map(async (url) => gzipSync(await (await fetch(url)).arrayBuffer()).length),
    );
    return {
      files: urls.map((url) => url.slice(url.lastIndexOf("/") + 1)),
      kb: sizes.reduce((sum, size) => sum + size, 0) / 1_000,
    };
  }
}

/** A viewer of the page: as good as a browser of its own, and what went wrong in it. */
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, inject } from "vitest";
import { viewerOf } from "../support/chromium.ts";

export const edgeUrl = (): string => inject("edgeUrl");

/** Of the browser, and how often its page was set to refresh; 0: only when asked. */
type Options = BrowserContextOptions & { refreshSeconds?: number };

let browser: Browser | null = null;

/** Call once, at the top of a file of tests. */
export function useBrowser(): void {
  beforeAll(async () => {
    browser = await chromium.connect(inject("browserUrl"));
  });
  afterAll(() => browser?.close());
}

export class Viewer implements AsyncDisposable {
  readonly page: Page;
  /** What the console called an error, and what was thrown. */
  readonly errors: string[] = [];
  /** What was asked of the edge's API: method and URL. */
  readonly asked: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("console", (message) => message.type() === "error" && this.errors.push(message.text()));
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("dialog", (dialog) => {
      this.errors.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      if (new URL(request.url()).pathname.startsWith("/api/"))
        this.asked.push(`${request.method()} ${request.url()}`);
    });
  }

  /** @param hash  e.g. `#/requests` */
  static async open(
    hash: string,
    { refreshSeconds, ...options }: Options = {},
    url = edgeUrl(),
  ): Promise<Viewer> {
    if (browser === null) throw new Error("no browser: call useBrowser()");
    const preferences = { name: "preferences", value: JSON.stringify({ refresh: refreshSeconds }) };
    const storageState = { cookies: [], origins: [{ origin: url, localStorage: [preferences] }] };
    const context = await viewerOf(browser, {
      viewport: { width: 1280, height: 900 },
      storageState,
      ...options,
    });
    const viewer = new Viewer(await context.newPage());
    viewer.page.setDefaultTimeout(15_000);
    await viewer.page.goto(`${url}/${hash}`);
    return viewer;
  }

  /** What a checker of accessibility finds: a line per rule that is broken. */
  async broken(): Promise<string[]> {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    // There are no frames in the page, and nobody reads what is well: both would take most of the time.
    const axe = new AxeBuilder({ page: this.page })
      .setLegacyMode()
      .options({ resultTypes: ["violations"] });
    const { violations } = await axe.withTags(tags).analyze();
    return violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html, target }) => `${target} ${html.slice(0, 160)}`).join(" | ")}`,
    );
  }

  /** Pixels that the page is wider than the window. */
  overflow(): Promise<number> {
    return this.page.evaluate("document.documentElement.scrollWidth - innerWidth");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }
}

/** A call to a model, whole. */
export async function callModel(body: Record<string, unknown>, box?: string): Promise<Response> {
  const answer = await fetch(`${edgeUrl()}/ollama/api/chat`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(box !== undefined && { "x-box": box }) },
    body: JSON.stringify({
      messages: [{ role: "user", content: "Hello" }],
      options: { num_predict: 5 },
      ...body,
    }),
  });
  await answer.arrayBuffer();
  return answer;
}

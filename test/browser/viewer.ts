/** A browser context of its own with the page open, which records errors and requests. */
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, inject } from "vitest";
import { viewerOf } from "../support/chromium.ts";
import { CONDITION_MS } from "../support/patience.ts";

export const edgeUrl = (): string => inject("edgeUrl");

/** Options of the browser, and the refresh interval of the page; 0 turns refresh off. */
type Options = BrowserContextOptions & { refreshSeconds?: number };

let browser: Browser | null = null;

/** Connects to the shared browser. Call it once at the top of a test file. */
export function useBrowser(): void {
  beforeAll(async () => {
    browser = await chromium.connect(inject("browserUrl"));
  });
  afterAll(() => browser?.close());
}

export class Viewer implements AsyncDisposable {
  readonly page: Page;
  /** Errors logged to the console, and uncaught exceptions. */
  readonly errors: string[] = [];
  /** Requests to the edge's API, each as method and URL. */
  readonly requests: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("console", (message) => message.type() === "error" && this.errors.push(message.text()));
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("dialog", (dialog) => {
      this.errors.push(`unexpected dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      if (new URL(request.url()).pathname.startsWith("/api/"))
        this.requests.push(`${request.method()} ${request.url()}`);
    });
  }

  /** @param hash  page to open, such as `#/requests` */
  static async open(
    hash: string,
    { refreshSeconds, ...options }: Options = {},
    url = edgeUrl(),
  ): Promise<Viewer> {
    if (browser === null)
      throw new Error("No browser is connected. Call useBrowser() at the top of the test file.");
    const preferences = { name: "preferences", value: JSON.stringify({ refresh: refreshSeconds }) };
    const storageState = { cookies: [], origins: [{ origin: url, localStorage: [preferences] }] };
    const context = await viewerOf(browser, {
      viewport: { width: 1280, height: 900 },
      storageState,
      ...options,
    });
    const viewer = new Viewer(await context.newPage());
    viewer.page.setDefaultTimeout(CONDITION_MS);
    await viewer.page.goto(`${url}/${hash}`);
    return viewer;
  }

  /** Runs an accessibility check and returns one line per violated rule. */
  async accessibilityViolations(): Promise<string[]> {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    // Skips frames, which the page does not have, and the details of passed rules. They take most
    // of the time.
    const axe = new AxeBuilder({ page: this.page })
      .setLegacyMode()
      .options({ resultTypes: ["violations"] });
    const { violations } = await axe.withTags(tags).analyze();
    return violations.map(({ id, nodes }) => {
      const elements = nodes.map(({ html, target, any }) => {
        const why = any.map(({ data, relatedNodes = [] }) =>
          JSON.stringify([data, ...relatedNodes.map((related) => related.target)]),
        );
        return `${target} ${html.slice(0, 160)} ${why}`;
      });
      return `${id}: ${elements.join(" | ")}`;
    });
  }

  /** Returns by how many pixels the page is wider than the window. */
  overflow(): Promise<number> {
    return this.page.evaluate("document.documentElement.scrollWidth - innerWidth");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }
}

/** Sends one chat request to a model and waits for the whole response. */
export async function callModel(body: Record<string, unknown>, box?: string): Promise<Response> {
  const response = await fetch(`${edgeUrl()}/ollama/api/chat`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(box !== undefined && { "x-box": box }) },
    body: JSON.stringify({
      messages: [{ role: "user", content: "Hello" }],
      options: { num_predict: 5 },
      ...body,
    }),
  });
  await response.arrayBuffer();
  return response;
}

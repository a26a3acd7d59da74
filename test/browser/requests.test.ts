/** The request list: live, filtered, paged, expanded and exported, with no text run as markup. */
import { text } from "node:stream/consumers";
import { beforeAll, expect, test } from "vitest";
import { eventually } from "../support/stack.ts";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

const CANARY = "<img src=x onerror=alert(1)>";
const SCRIPT = "<script>alert(2)</script> describe the lighthouses";

beforeAll(async () => {
  await callModel({
    model: "llama3.2",
    messages: [{ role: "user", content: SCRIPT }],
    options: { num_predict: 20 },
  });
  await callModel({ model: CANARY });
  await Promise.all(
    Array.from({ length: 60 }, () => callModel({ model: "mistral", options: { num_predict: 1 } })),
  );
  await eventually(async () => {
    const { logs } = (await (await fetch(`${edgeUrl()}/api/stats/logs?q=lighthouses`)).json()) as {
      logs: unknown[];
    };
    return logs.length > 0;
  });
}, 60_000);

test.concurrent("shows a model name and a prompt that contain markup as text", async () => {
  await using viewer = await Viewer.open(`#/requests?q=lighthouses`);
  const { page } = viewer;
  await page
    .getByRole("button", { name: /^Details of/ })
    .first()
    .click();
  const prompt = page.locator(".text-block pre").first();
  await prompt.waitFor();
  expect(await prompt.textContent()).toContain(SCRIPT);
  await page.goto(`${edgeUrl()}/#/requests?model=${encodeURIComponent(CANARY)}`);
  await page.locator("td.strong", { hasText: CANARY }).first().waitFor();
  expect(await page.locator("main img, main script").count()).toBe(0);
  expect(viewer.errors).toEqual([]);
});

test.concurrent("shows the phases of a request in its details, with texts to copy", async () => {
  await using viewer = await Viewer.open("#/requests?q=lighthouses", {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const { page } = viewer;
  await page
    .getByRole("button", { name: /^Details of/ })
    .first()
    .click();
  await page.getByRole("rowheader", { name: "Decode" }).waitFor();
  await page.getByRole("rowheader", { name: "Tunnel" }).waitFor();
  expect(await page.locator(".facts", { hasText: "Tunnel resumed" }).textContent()).toMatch(
    /Energy[\d–]/,
  );
  await page.getByRole("button", { name: "Copy the prompt" }).click();
  await page.getByText("Copied").waitFor();
  expect(await page.evaluate("navigator.clipboard.readText()")).toContain(SCRIPT);
  expect(await viewer.accessibilityViolations()).toEqual([]);
});

test.concurrent("filters the list, keeps the filters in the URL, and clears them", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/requests");
  const { page } = viewer;
  const statuses = page.locator("tr.row .pill:not(.simulated)");
  await statuses.first().waitFor();
  await page.getByRole("button", { name: "Error", exact: true }).click();
  await expect
    .poll(async () => (await statuses.allTextContents()).every((text) => text.startsWith("error")))
    .toBe(true);
  expect(page.url()).toContain("status=error");
  await page.getByRole("searchbox").fill("no such text anywhere");
  await page.getByText("No requests match these filters").waitFor();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await statuses.first().waitFor();
  expect(page.url()).not.toContain("?");
});

test.concurrent("pages to older requests and back", async ({ expect }) => {
  await using viewer = await Viewer.open("#/requests?model=mistral");
  const { page } = viewer;
  const first = () => page.locator("tr.row button").first().getAttribute("aria-label");
  await page.getByText("1 to 50").waitFor();
  const newest = await first();
  await page.getByRole("button", { name: "Older" }).click();
  await page.getByText(/^51 to/).waitFor();
  await expect.poll(first).not.toBe(newest);
  await page.getByRole("button", { name: "Newer" }).click();
  await page.getByText("1 to 50").waitFor();
  // The rows arrive after the label of the page.
  await expect.poll(first).toBe(newest);
});

test.concurrent("opens the same page with the same request expanded from a link", async () => {
  await using viewer = await Viewer.open("#/requests?model=mistral");
  await viewer.page.getByRole("button", { name: "Older" }).click();
  await viewer.page.getByText(/^51 to/).waitFor();
  // The pager changes at once, the rows when their data arrives.
  await viewer.page.locator("table.log:not(.loading)").waitFor();
  const detail = viewer.page.getByRole("button", { name: /^Details of/ }).nth(3);
  const name = (await detail.getAttribute("aria-label")) ?? "";
  await detail.click();
  await viewer.page.getByText("Request ID").waitFor();

  await using other = await Viewer.open(new URL(viewer.page.url()).hash);
  await other.page.getByText(/^51 to/).waitFor();
  await other.page.getByRole("button", { name, expanded: true }).waitFor();
  await other.page.getByText("Request ID").waitFor();
  await other.page.getByRole("button", { name: "Newer" }).click();
  await other.page.getByText("1 to 50").waitFor();
  expect(new URL(other.page.url()).hash).toBe("#/requests?model=mistral");
});

test.concurrent.each(["CSV", "NDJSON", "JSON"])(
  "exports the filtered requests as %s",
  async (format) => {
    await using viewer = await Viewer.open("#/requests?q=lighthouses");
    const { page } = viewer;
    await page.locator("tr.row").first().waitFor();
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: `Export as ${format}` }).click(),
    ]);
    expect(saved.suggestedFilename()).toMatch(
      new RegExp(`^requests-.*\\.${format.toLowerCase()}$`),
    );
    expect(await text(await saved.createReadStream())).toContain("describe the lighthouses");
  },
);

test.concurrent("lists a request while it is in flight and removes it when it ends", async () => {
  await using viewer = await Viewer.open("#/requests", { refreshSeconds: 1 });
  const { page } = viewer;
  await page.getByText("In flight", { exact: true }).waitFor();
  const controller = new AbortController();
  const slow = cancelledCall(controller.signal);
  const rows = page
    .getByRole("region", { name: "Requests in flight" })
    .locator("tbody tr", { hasText: "qwen3:8b" });
  await rows.first().waitFor();
  controller.abort();
  await slow;
  await rows.first().waitFor({ state: "detached" });
});

/** Requests a long answer and cancels it through the signal. */
async function cancelledCall(signal: AbortSignal): Promise<void> {
  const messages = [{ role: "user", content: "slowly" }];
  const body = JSON.stringify({ model: "qwen3:8b", messages, options: { num_predict: 100_000 } });
  try {
    await (
      await fetch(`${edgeUrl()}/ollama/api/chat`, { method: "POST", signal, body })
    ).arrayBuffer();
  } catch {
    // cancelled as intended
  }
}

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
});

test.concurrent("shows a model name and a prompt that contain markup as text", async () => {
  await using viewer = await Viewer.open(`#/requests?q=lighthouses`);
  const { page } = viewer;
  await page
    .getByRole("link", { name: /Details of/ })
    .first()
    .click();
  const prompt = page.locator(".text-block pre").first();
  await prompt.waitFor();
  expect(await prompt.textContent()).toContain(SCRIPT);
  await page.goto(`${edgeUrl()}/#/requests?model=${encodeURIComponent(CANARY)}`);
  await page.locator("td.c-model", { hasText: CANARY }).first().waitFor();
  expect(await page.locator("main img, main script").count()).toBe(0);
  expect(viewer.errors).toEqual([]);
});

test.concurrent("shows the phases of a request in its details, with texts to copy", async () => {
  await using viewer = await Viewer.open("#/requests?q=lighthouses", {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const { page } = viewer;
  await page
    .getByRole("link", { name: /Details of/ })
    .first()
    .click();
  await page.getByRole("rowheader", { name: "Decode" }).waitFor();
  await page.getByRole("rowheader", { name: "Tunnel" }).waitFor();
  // The list has it, so its record is read once, with its explanation.
  const reads = viewer.requests.filter((each) => /logs(\/[0-9a-f-]{36}|\?id=)/.test(each));
  expect(reads).toHaveLength(1);
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
  const statuses = page.locator("tr.row .status");
  await statuses.first().waitFor();
  const error = page.getByRole("group", { name: "Status" }).getByRole("button", { name: /^Error/ });
  await error.click();
  await expect.poll(() => page.locator("tr.row .status:not(.error)").count()).toBe(0);
  expect(await error.getAttribute("aria-pressed")).toBe("true");
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
  const first = () => page.locator("tr.row a").first().getAttribute("href");
  await page.getByText("1 to 50").waitFor();
  const newest = await first();
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText(/^51 to/).waitFor();
  await expect.poll(first).not.toBe(newest);
  await page.getByRole("button", { name: "Previous" }).click();
  await page.getByText("1 to 50").waitFor();
  // The rows arrive after the label of the page.
  await expect.poll(first).toBe(newest);
});

test.concurrent("opens the same page with the same request expanded from a link", async () => {
  await using viewer = await Viewer.open("#/requests?model=mistral");
  await viewer.page.getByRole("button", { name: "Next" }).click();
  await viewer.page.getByText(/^51 to/).waitFor();
  // The pager changes at once, the rows when their data arrives.
  await viewer.page.locator("table.log:not(.loading)").waitFor();
  const detail = viewer.page.locator(".row-link").nth(3);
  const href = (await detail.getAttribute("href")) ?? "";
  await detail.click();
  await viewer.page.locator(".side .phases").waitFor();

  await using other = await Viewer.open(new URL(viewer.page.url()).hash);
  await other.page.getByText(/^51 to/).waitFor();
  await other.page.locator(`tr.row.open a[href="${href}"]`).waitFor();
  await other.page.locator(".side .phases").waitFor();
  await other.page.getByRole("button", { name: "Close" }).click();
  await other.page.getByRole("button", { name: "Previous" }).click();
  await other.page.getByText("1 to 50").waitFor();
  expect(new URL(other.page.url()).hash).toBe("#/requests?model=mistral");
});

test.concurrent("counts the values of each filter, and shows those requests", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/requests?q=lighthouses", { refreshSeconds: 0 });
  const { page } = viewer;
  const models = page.getByRole("group", { name: "Model" });
  await models.getByRole("button", { name: /llama3\.2/ }).click();
  await page.locator("tr.row").first().waitFor();
  const rows = await page.locator("tr.row").count();
  await expect.poll(() => models.locator(".facet-count").first().textContent()).toBe(String(rows));
  expect(page.url()).toContain("model=llama3.2");
});

test.concurrent("sorts by a column, turns round, and returns to the newest first", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/requests?model=mistral&status=success");
  const { page } = viewer;
  await page.locator("tr.row").first().waitFor();
  const head = page.getByRole("columnheader", { name: "Latency" });
  const latencies = () =>
    page.evaluate<number[]>(
      `[...document.querySelectorAll("tr.row .c-latency")].map(({ innerText }) =>
        Number.parseFloat(innerText) * (/\\dms|\\sms/.test(innerText) ? 1 : 1000))`,
    );
  /** The pairs that are not in this order. */
  const outOfOrder = async (sign: 1 | -1) =>
    (await latencies()).flatMap((each, at, all) =>
      at > 0 && !(sign * each >= sign * (all[at - 1] ?? 0)) ? [[all[at - 1], each]] : [],
    );
  await head.getByRole("button").click();
  await expect.poll(() => outOfOrder(-1)).toEqual([]);
  expect(await head.getAttribute("aria-sort")).toBe("descending");
  await head.getByRole("button").click();
  await expect.poll(() => outOfOrder(1)).toEqual([]);
  expect(page.url()).toContain("sort=latency&order=asc");
  await head.getByRole("button").click();
  await expect.poll(() => page.url()).not.toContain("sort");
});

test.concurrent("selects a time by a drag on the histogram, and returns", async ({ expect }) => {
  await using viewer = await Viewer.open("#/requests?model=mistral");
  const { page } = viewer;
  const plot = page.getByRole("img", { name: /^Requests over time/ });
  const { x, y, width, height } = (await plot.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
  await page.mouse.move(x + width * 0.25, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width * 0.75, y + height / 2);
  await page.mouse.up();
  await expect.poll(() => page.url()).toMatch(/from=.*until=/);
  await page.getByRole("button", { name: "Zoom out" }).click();
  await expect.poll(() => page.url()).not.toContain("from=");
});

test.concurrent("shows the chosen columns, also after a reload", async () => {
  await using viewer = await Viewer.open("#/requests?q=lighthouses");
  const { page } = viewer;
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByRole("checkbox", { name: "Prompt", exact: true }).check();
  await page.locator("td.c-prompt").first().waitFor();
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await page.reload();
  await page.locator("td.c-prompt", { hasText: "describe the lighthouses" }).first().waitFor();
});

test.concurrent("replays a stored prompt, and opens the record of the new request", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/requests?q=lighthouses", { refreshSeconds: 1 });
  const { page } = viewer;
  await page.locator(".row-link").last().click();
  const first = page.url();
  await page.getByRole("button", { name: "Replay" }).click();
  const replay = page.getByRole("region", { name: "Replay" });
  await replay.getByText(/^Took .* tokens/).waitFor();
  await replay.getByRole("button", { name: "Open its record" }).click();
  await page.locator(".side .text-block pre", { hasText: "describe the lighthouses" }).waitFor();
  expect(page.url()).not.toBe(first);
  await expect.poll(() => viewer.errors).toEqual([]);
});

test.concurrent("a phone has a card for each request, and filters behind a button", async () => {
  await using viewer = await Viewer.open("#/requests?q=lighthouses", {
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    colorScheme: "dark",
  });
  const { page } = viewer;
  await page.locator("tr.row").first().waitFor();
  const lowest = await page.evaluate<number>(
    `Math.min(...[...document.querySelectorAll("tr.row, .explorer button, .explorer select")]
      .filter((each) => each.checkVisibility()).map((each) => each.getBoundingClientRect().height))`,
  );
  expect(lowest).toBeGreaterThanOrEqual(44);
  await page.getByRole("button", { name: "Show the filters" }).click();
  await page.getByRole("group", { name: "Status" }).waitFor();
  await page.locator("tr.row").first().click();
  await page.locator(".side .phases").waitFor();
  expect(await viewer.accessibilityViolations()).toEqual([]);
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
  await page.getByRole("region", { name: "Requests in flight" }).waitFor();
  const controller = new AbortController();
  const slow = cancelledCall(controller.signal);
  const rows = page
    .getByRole("region", { name: "Requests in flight" })
    .locator("li", { hasText: "qwen3:8b" });
  await rows.first().waitFor();
  controller.abort();
  await slow;
  await rows.first().waitFor({ state: "detached" });
});

test.concurrent("stops a request in flight, whose record names who did it", async () => {
  await using viewer = await Viewer.open("#/requests", { refreshSeconds: 1 });
  const { page } = viewer;
  const slow = cancelledCall(new AbortController().signal, "mistral");
  const region = page.getByRole("region", { name: "Requests in flight" });
  await region.getByRole("link", { name: "mistral" }).first().click();
  const panel = page.getByRole("complementary", { name: "Request" });
  await panel.getByText(/in flight:/).waitFor();
  await panel.getByRole("button", { name: /^Stop request/ }).click();
  const dialog = page.getByRole("dialog", { name: /^Stop mistral on/ });
  await dialog.waitFor();
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await dialog.getByRole("button", { name: "Stop it" }).click();
  await panel.getByText("This request was stopped by an operator.").waitFor();
  await slow;
  expect(viewer.errors).toEqual([]);
});

/** Requests a long answer and cancels it through the signal. */
async function cancelledCall(signal: AbortSignal, model = "qwen3:8b"): Promise<void> {
  const messages = [{ role: "user", content: "slowly" }];
  const body = JSON.stringify({ model, messages, options: { num_predict: 100_000 } });
  try {
    await (
      await fetch(`${edgeUrl()}/ollama/api/chat`, { method: "POST", signal, body })
    ).arrayBuffer();
  } catch {
    // cancelled as intended
  }
}

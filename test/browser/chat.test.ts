/** The chat: answers of one model or two stream, are rendered safely, and stop on request. */
import { expect, test } from "vitest";
import { Logs } from "../../protocol/api/logs.ts";
import { eventually } from "../support/stack.ts";
import { edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test.concurrent("streams an answer with its model, box and token rate, and keeps it after a reload", async () => {
  await using viewer = await Viewer.open("#/chat?model=llama3.2:latest&box=atlas");
  const { page } = viewer;
  await page.getByRole("textbox", { name: "Message" }).fill("What is a <b>box</b>?");
  await page.keyboard.press("Enter");
  await page.getByText(/tok\/s$/).waitFor();
  await page.getByRole("button", { name: "Copy the response" }).waitFor();
  expect(await page.locator(".message.user").textContent()).toBe("What is a <b>box</b>?");
  expect(await page.locator(".message-foot").innerText()).toMatch(
    /llama3\.2:latest.*on atlas.*tokens/s,
  );
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await page.reload();
  await page.locator(".message.assistant").waitFor();
  const record = page.getByRole("link", { name: "Phases and cost" });
  const id = new URLSearchParams((await record.getAttribute("href"))?.split("?")[1]).get("open");
  await eventually(async () => {
    const { logs } = Logs.parse(await (await fetch(`${edgeUrl()}/api/stats/logs?id=${id}`)).json());
    return logs.length === 1;
  });
  await page.getByRole("button", { name: "New chat" }).click();
  await page.getByText("Send a message to a model").waitFor();
  expect(viewer.errors).toEqual([]);
});

test.concurrent("sends the system prompt and the parameters with each message", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/chat?model=llama3.2:latest");
  const { page } = viewer;
  await page.getByText("Parameters", { exact: true }).click();
  await page.getByLabel("System prompt").fill("Be brief.");
  await page.getByLabel("Most output tokens").fill("7");
  expect(await viewer.accessibilityViolations()).toEqual([]);
  const sent = page.waitForRequest("**/api/chat");
  await page.getByRole("textbox", { name: "Message" }).fill("Hello");
  await page.keyboard.press("Enter");
  expect((await sent).postDataJSON()).toMatchObject({
    messages: [{ role: "system", content: "Be brief." }, { role: "user" }],
    max_tokens: 7,
  });
  await page.locator(".message-foot", { hasText: "7 tokens" }).waitFor();
  expect(viewer.errors).toEqual([]);
});

test.concurrent("cancels the request on the box when Stop is pressed", async () => {
  await using viewer = await Viewer.open("#/chat?model=qwen3:8b");
  const { page } = viewer;
  const prompt = `count the grains of sand ${Date.now()}`;
  // The simulated model writes as many tokens as requested, and the chat requests no number.
  await page.route("**/api/chat", (route) => {
    const body = { ...(route.request().postDataJSON() as object), max_tokens: 100_000 };
    return route.continue({ postData: JSON.stringify(body) });
  });
  await page.getByRole("textbox", { name: "Message" }).fill(prompt);
  await page.keyboard.press("Enter");
  await page
    .locator(".message.assistant .thinking, .message.assistant .markdown p")
    .first()
    .waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.locator(".pill", { hasText: "stopped" }).waitFor();
  const entry = await eventually(async () => {
    const { logs } = Logs.parse(
      await (await fetch(`${edgeUrl()}/api/stats/logs?q=${encodeURIComponent(prompt)}`)).json(),
    );
    return logs[0];
  });
  expect(entry.status).toBe("cancelled");
});

test.concurrent("renders a hostile answer without running or loading anything", async () => {
  await using viewer = await Viewer.open("#/chat");
  const { page } = viewer;
  const evil = [
    "**bold** <img src=x onerror=alert(1)> <script>alert(2)</script>",
    "<a href='javascript:alert(3)'>a</a> [b](javascript:alert(4)) [c](https://example.com)",
    "<style>body{display:none}</style> <p style='position:fixed'>d</p> <iframe src='//evil.example'></iframe> ![e](https://evil.example/x.png)",
  ].join("\n\n");
  // The simulated models write nothing like this, so the test supplies the answer.
  await page.route("**/api/chat", (route) =>
    route.fulfill({
      contentType: "text/event-stream",
      body: `data: ${JSON.stringify({ token: evil })}\n\ndata: {"done":true,"completion_tokens":9,"done_reason":"stop"}\n\n`,
    }),
  );
  await page.getByRole("textbox", { name: "Message" }).fill("be evil");
  await page.keyboard.press("Enter");
  await page.locator(".markdown strong", { hasText: "bold" }).waitFor();
  expect(
    await page
      .locator(
        ".markdown img, .markdown script, .markdown style, .markdown iframe, .markdown [style], .markdown [onerror]",
      )
      .count(),
  ).toBe(0);
  expect(await page.locator(".markdown").innerText()).toContain("<script>alert(2)</script>");
  expect(await page.locator('.markdown a[href^="javascript"]').count()).toBe(0);
  expect(await page.locator(".markdown a", { hasText: "c" }).getAttribute("rel")).toContain(
    "noopener",
  );
  expect(viewer.errors).toEqual([]);
});

test.concurrent("shows an error in place of the answer", async () => {
  await using viewer = await Viewer.open("#/chat?model=no-such-model");
  const { page } = viewer;
  await page.getByRole("textbox", { name: "Message" }).fill("hello");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("alert").filter({ hasText: "no-such-model" }).waitFor();
});

/** A single pixel. */
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNg+M9QDwADgQF/e5IkGQAAAABJRU5ErkJggg==";

test.concurrent("shows the answers of two models side by side, and only the one with vision gets the image", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/chat?model=llama3.2:latest&box=atlas");
  const { page } = viewer;
  await page.getByRole("button", { name: "Compare with a second model" }).click();
  const second = page.getByRole("combobox", { name: "Second model" });
  await expect
    .poll(() => page.evaluate("document.activeElement?.closest('.seat') !== null"))
    .toBe(true);
  await second.selectOption("gemma3:12b");
  await page.getByLabel("Second box").selectOption("borealis");
  expect(page.url()).toContain("beside=gemma3%3A12b&beside_box=borealis");

  const files = page.getByLabel("Image files");
  const text = { name: "notes.txt", mimeType: "image/png", buffer: Buffer.from("not an image") };
  await files.setInputFiles(text);
  await page.getByRole("alert").getByText("notes.txt is not a PNG, JPEG or WebP image.").waitFor();
  // A screenshot arrives from the clipboard, the other image as a drop.
  const give = (event: string, name: string) =>
    page.evaluate(`{
      const data = new DataTransfer();
      const bytes = Uint8Array.from(atob("${PNG}"), (letter) => letter.charCodeAt(0));
      data.items.add(new File([bytes], "${name}", { type: "image/png" }));
      const about = { bubbles: true, cancelable: true, clipboardData: data, dataTransfer: data };
      document.querySelector(".composer textarea").dispatchEvent(new ${event}, about));
    }`);
  await give('ClipboardEvent("paste"', "pasted.png");
  await page.getByRole("img", { name: "pasted.png" }).waitFor();
  await give('DragEvent("drop"', "dropped.png");
  await page.getByRole("button", { name: "Remove dropped.png" }).click();
  await page.getByText("llama3.2:latest reads no images and gets the text alone.").waitFor();
  expect(await viewer.accessibilityViolations()).toEqual([]);

  const sent: unknown[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/api/chat")) sent.push(request.postDataJSON());
  });
  await page.getByRole("textbox", { name: "Message" }).fill("What is in the picture?");
  await page.keyboard.press("Enter");
  const answers = page.getByRole("article");
  const [blind, seeing] = [answers.nth(0), answers.nth(1)];
  await blind.getByText("It reads no images and got the text alone.").waitFor();
  for (const answer of [blind, seeing]) {
    await answer.getByRole("link", { name: "Phases and cost" }).waitFor();
    // The record follows within seconds.
    await answer.getByRole("list", { name: "Phases" }).waitFor();
    await answer.getByRole("button", { name: "Copy as curl" }).waitFor();
  }
  expect(await blind.innerText()).toMatch(/llama3\.2:latest.*atlas/s);
  expect(await seeing.innerText()).toMatch(/gemma3:12b.*borealis/s);
  expect(sent).toEqual([
    { model: "llama3.2:latest", messages: [{ role: "user", content: "What is in the picture?" }] },
    {
      model: "gemma3:12b",
      messages: [{ role: "user", content: "What is in the picture?", images: [PNG] }],
    },
  ]);
  await page.getByText("llama3.2:latest has responded. gemma3:12b has responded.").waitFor();
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await viewer.accessibilityViolations(), colorScheme).toEqual([]);
  }
  const topOf = async (answer: typeof blind) => (await answer.boundingBox())?.y;
  expect(await topOf(seeing)).toBe(await topOf(blind));
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await topOf(seeing)).toBeGreaterThan((await topOf(blind)) ?? Infinity);
  expect(await viewer.overflow()).toBeLessThanOrEqual(0);

  await page.getByRole("button", { name: "Remove the second model" }).click();
  await page.getByRole("button", { name: "Compare with a second model" }).waitFor();
  expect(viewer.errors).toEqual([]);
});

test.concurrent("stops one of two answers, and a new chat forgets both", async ({ expect }) => {
  await using viewer = await Viewer.open("#/chat?model=qwen3:8b&box=atlas&beside=mistral:latest");
  const { page } = viewer;
  // The simulated model writes as many tokens as requested, and the chat requests no number.
  await page.route("**/api/chat", (route) => {
    const body = { ...(route.request().postDataJSON() as object), max_tokens: 100_000 };
    return route.continue({ postData: JSON.stringify(body) });
  });
  await page.getByRole("textbox", { name: "Message" }).fill("Count to a million.");
  await page.keyboard.press("Enter");
  const answers = page.getByRole("article");
  await page.getByRole("button", { name: "Stop mistral:latest" }).click();
  await answers.nth(1).getByText("stopped", { exact: true }).waitFor();
  expect(await answers.nth(0).getAttribute("aria-busy")).toBe("true");
  await page.getByRole("button", { name: "New chat" }).click();
  await page.getByText("Send a message to a model").waitFor();
  // The request that was aborted ends later, and its answer stays away.
  await page.getByRole("button", { name: "Send" }).waitFor();
  expect(await answers.count()).toBe(0);
  expect(viewer.errors).toEqual([]);
});

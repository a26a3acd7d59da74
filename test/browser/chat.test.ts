/** The chat: answers stream, are rendered safely, and stop on request. */
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

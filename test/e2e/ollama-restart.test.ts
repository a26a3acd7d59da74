/** A call waits for an Ollama that is being restarted, as it waits for a lost tunnel. */
import { expect, test } from "vitest";
import { startSimulatedOllama } from "../../simulated/ollama.ts";
import { freePort, TestStack } from "../support/stack.ts";

test("serves a call during a restart of Ollama, once", async () => {
  const port = await freePort();
  const start = () =>
    startSimulatedOllama({ port, models: ["llama3.2:latest"], tokenMs: 1, loadMsPerGb: 0 });
  await using stack = await TestStack.start();
  let ollama = await start();
  try {
    await stack.startAgent({ name: "box", ollamaUrl: ollama.url });
    const chat = (prompt: string) =>
      fetch(`${stack.url}/ollama/api/chat`, {
        method: "POST",
        body: JSON.stringify({
          model: "llama3.2",
          stream: false,
          messages: [{ role: "user", content: prompt }],
        }),
      });
    expect((await chat("before")).status).toBe(200);
    await ollama.close();
    const during = chat("during");
    // A call that starts later and is refused at once shows that the first one is still waiting.
    const ended = await Promise.race([
      during.then(() => "ended"),
      stack.health().then(() => "waits"),
    ]);
    expect(ended).toBe("waits");
    ollama = await start();
    const answer = await during;
    expect(answer.status).toBe(200);
    const id = answer.headers.get("x-request-id");
    expect(await stack.record(id)).toMatchObject({
      status: "success",
      prompt: expect.stringContaining("during"),
    });
    expect(ollama.requests().filter(({ body }) => body.includes("during"))).toHaveLength(1);
  } finally {
    await ollama.close();
  }
});

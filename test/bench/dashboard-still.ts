/** Five minutes of traffic for the Overview: how far it moves, and what an event costs. */
import type { CDPSession, Page } from "playwright-core";
import { startSimulatedOllama } from "../../simulated/ollama.ts";
import { PageTraffic, STEPS } from "../support/page-traffic.ts";
import { TestStack } from "../support/stack.ts";

export type Streaming = {
  shift: number;
  /** Processor time of the main thread for the dearest event: at least as long as its longest task. */
  eventMs: number;
};

/**
 * On a fleet of one box.
 * @param busyMs  processor time of the main thread so far
 */
export async function streamingOf(
  { page, session }: { page: Page; session: CDPSession },
  busyMs: (session: CDPSession) => Promise<number>,
): Promise<Streaming> {
  await using fleet = await TestStack.start();
  const ollama = await startSimulatedOllama({ models: ["llama3.2"] });
  await fleet.startAgent({ name: "atlas", ollamaUrl: ollama.url });
  await page.addInitScript(`localStorage.setItem("preferences", '{"refresh":30}')`);
  const traffic = await PageTraffic.open(page, fleet.url, "#/");
  await page.locator(".page:not(:has(.skeleton))").waitFor();
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  await traffic.watch();
  let eventMs = 0;
  for (let step = 0; step < STEPS; step++) {
    const before = await busyMs(session);
    await traffic.step();
    eventMs = Math.max(eventMs, (await busyMs(session)) - before);
  }
  const { shift } = await traffic.end();
  await page.context().close();
  await ollama.close();
  return { shift, eventMs: Math.round(eventMs) };
}

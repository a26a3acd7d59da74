/** Five minutes of traffic for the Overview: how far it moves, and what an event costs. */
import { startSimulatedOllama } from "../../simulated/ollama.ts";
import { PageTraffic, STEPS } from "../support/page-traffic.ts";
import { TestStack } from "../support/stack.ts";
import { busyMs, countBusy, type Opened } from "./dashboard-page.ts";

export type Streaming = {
  shift: number;
  /** Processor time of the main thread for the dearest event: at least as long as its longest task. */
  eventMs: number;
};

/** On a fleet of one box. */
export async function streamingOf(view: Opened): Promise<Streaming> {
  const { page } = view;
  await using fleet = await TestStack.start();
  const ollama = await startSimulatedOllama({ models: ["llama3.2"] });
  await fleet.startAgent({ name: "atlas", ollamaUrl: ollama.url });
  await page.addInitScript(`localStorage.setItem("preferences", '{"refresh":30}')`);
  const traffic = await PageTraffic.open(page, fleet.url, "#/");
  await page.locator(".page:not(:has(.skeleton))").waitFor();
  await countBusy(view);
  await traffic.watch();
  let eventMs = 0;
  for (let step = 0; step < STEPS; step++) {
    const before = await busyMs(view);
    await traffic.step();
    eventMs = Math.max(eventMs, (await busyMs(view)) - before);
  }
  const { shift } = await traffic.end();
  await page.context().close();
  await ollama.close();
  return { shift, eventMs: Math.round(eventMs) };
}

/**
 * A program for a network namespace of its own: runs a whole chain while the kernel drops packets
 * of its tunnel. Reads a plan and prints a finding.
 */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { Finding } from "./figures.ts";
import { type Lose, lossyLoad } from "./lossy-load.ts";
import { Stage } from "./stage.ts";
import { seeded } from "./suite.ts";

const Task = z.object({
  plan: z.object({ streams: z.number(), seconds: z.number() }),
  seed: z.number(),
});

const nft = (script: string): string =>
  execFileSync("nft", ["-f", "-"], { input: script, encoding: "utf8" });

/**
 * Drops packets where they arrive. A packet dropped on its way out would be an error for its sender
 * and not a loss. Both directions of a connection arrive here.
 */
const rulesFor = (port: number): string => `
  table inet loss {
    chain tunnel {
      counter
      numgen random mod 100 < 5 counter drop
    }
    chain arriving {
      type filter hook input priority 0;
      tcp dport ${port} jump tunnel
      tcp sport ${port} jump tunnel
    }
  }`;

const dropped: Lose = async ({ proxy }, seconds) => {
  nft(rulesFor(proxy.port));
  await sleep(seconds * 1_000);
  const [all = 0, lost = 0] = [
    ...nft("list table inet loss").matchAll(/counter packets (\d+)/g),
  ].map(([, packets]) => Number(packets));
  nft("delete table inet loss");
  if (lost === 0) throw new Error(`none of ${all} packets was lost`);
  return `${lost} of ${all} packets lost`;
};

async function run(task: unknown): Promise<Finding> {
  const { plan, seed } = Task.parse(task);
  await using stage = Stage.open();
  return await lossyLoad(stage, seeded(seed), plan, "by the kernel", dropped).catch(
    (error: unknown) => {
      throw new Error(`${String(error)}\n${stage.children.tails()}`);
    },
  );
}

process.once("message", (task) => {
  run(task).then(
    (result) => process.send?.({ result }, () => process.exit(0)),
    (error: unknown) => process.send?.({ error: String(error) }, () => process.exit(1)),
  );
});

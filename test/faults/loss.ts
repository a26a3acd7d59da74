/**
 * Packets are lost: as the stalls that TCP makes of it, by a proxy, which works everywhere; and for real, by the
 * kernel, in a network namespace of its own where one may be had.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../../local/edge.ts";
import { type Finding, notRun } from "./figures.ts";
import { type Lose, type LossPlan, lossyLoad } from "./lossy-load.ts";
import { between, type Setting } from "./suite.ts";

/** What one lost packet costs those behind it: Linux sends it again after 200 ms, and twice as late if that is lost too. */
const RETRANSMIT_MS = [200, 200, 200, 400] as const;

/** Start and end of the processes in there, and the last answers. */
const AROUND_MS = 180_000;

export async function loss({ stage, random }: Setting, plan: LossPlan): Promise<Finding[]> {
  const emulated = await lossyLoad(
    stage,
    random,
    plan,
    "emulated: stalls as TCP makes of it",
    stalls,
  );
  const why = whyNoLoss();
  if (why !== null)
    return [emulated, notRun("R10", "5 % of the tunnel's packets lost (by the kernel)", why)];
  const inside = stage.children.start({
    name: "lossy network",
    command: "unshare",
    args: [
      ...NAMESPACE,
      "sh",
      "-c",
      `${LOOPBACK_UP} && exec "$0" "$@"`,
      process.execPath,
      join(ROOT, "test/faults/lossy-network.ts"),
    ],
    hasIpc: true,
  });
  try {
    const seed = between(random, 0, 2 ** 31);
    return [emulated, await inside.ask<Finding>({ plan, seed }, plan.seconds * 1_000 + AROUND_MS)];
  } finally {
    await inside.kill();
  }
}

const stalls: Lose = async ({ proxy }, seconds, random) => {
  let count = 0;
  for (const endMs = performance.now() + seconds * 1_000; performance.now() < endMs; count++) {
    proxy.hold();
    await sleep(RETRANSMIT_MS[between(random, 0, RETRANSMIT_MS.length - 1)]);
    proxy.release();
    await sleep(between(random, 20, 200));
  }
  return `${count} stalls`;
};

/** Root in there, and nobody out here. */
const NAMESPACE = ["--user", "--map-root-user", "--net"];
const LOOPBACK_UP = "ip link set lo up";

function whyNoLoss(): string | null {
  try {
    const drop =
      "nft 'add table inet x; add chain inet x in { type filter hook input priority 0; }; add rule inet x in numgen random mod 100 < 5 drop'";
    execFileSync("unshare", [...NAMESPACE, "sh", "-c", `${LOOPBACK_UP} && ${drop}`], {
      stdio: "pipe",
    });
    return null;
  } catch (error) {
    const said = error instanceof Error ? error.message.trim().split("\n").at(-1) : String(error);
    return `no packets can be dropped here (needs unshare, ip, nft, and user namespaces that may filter): ${said}`;
  }
}

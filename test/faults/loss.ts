/**
 * Packets are lost: emulated by a proxy as the stalls that TCP turns them into, which works
 * everywhere, and for real by the kernel, in a network namespace of its own where that is allowed.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../../local/edge.ts";
import { type Finding, notRun } from "./figures.ts";
import { type Lose, type LossPlan, lossyLoad } from "./lossy-load.ts";
import { between, type Setting } from "./suite.ts";

/**
 * Delay that one lost packet causes: Linux retransmits after 200 ms, and after twice that if the
 * retransmission is lost too.
 */
const RETRANSMIT_MS = [200, 200, 200, 400] as const;

/** Time for the processes in the namespace to start and stop, and for the last answers. */
const AROUND_MS = 180_000;

export async function loss({ stage, random }: Setting, plan: LossPlan): Promise<Finding[]> {
  const emulated = await lossyLoad(stage, random, plan, "emulated as TCP's stalls", stalls);
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
    return [
      emulated,
      await inside.request<Finding>({ plan, seed }, plan.seconds * 1_000 + AROUND_MS),
    ];
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

/** Runs as root inside the namespace and without privileges outside. */
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
    const output = error instanceof Error ? error.message.trim().split("\n").at(-1) : String(error);
    return `dropping packets is not possible here (it needs unshare, ip, nft, and user namespaces that may filter): ${output}`;
  }
}

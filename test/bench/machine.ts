/** The machine of a benchmark, and the share of it that other programs used. */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { WORKERD_VERSION } from "../../local/workerd.ts";
import type { Children } from "./children.ts";

const MS_PER_TICK = 10;

export const machine = () => ({
  cpus: cpus().length,
  cpu_model: cpus()[0]?.model ?? "unknown",
  node: process.version,
  workerd: WORKERD_VERSION,
});

/**
 * @returns a function that returns the share of all CPU time since then used by processes outside
 * this benchmark
 */
export function watchOthers(children: Children): () => number {
  const [startMs, startBusyMs, startOwnMs] = [performance.now(), busyMs(), ownMs(children)];
  return () => {
    const othersMs = busyMs() - startBusyMs - (ownMs(children) - startOwnMs);
    return Math.max(0, othersMs / ((performance.now() - startMs) * cpus().length));
  };
}

/**
 * Time that all CPUs spent on anything since boot: user, nice, system, irq, softirq, and time
 * stolen by a hypervisor.
 */
function busyMs(): number {
  const line = readFileSync("/proc/stat", "utf8").split("\n", 1)[0] ?? "";
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .trim()
    .split(/ +/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * MS_PER_TICK;
}

function ownMs(children: Children): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000 + children.cpuMs();
}

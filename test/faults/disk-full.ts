/**
 * The agent's disk is full: calls are served, and their records are kept in memory and written when
 * there is room again.
 *
 * The disk of 32 MB is a tmpfs in a mount namespace that belongs to the agent alone. It needs no
 * root where user namespaces are allowed, and disappears with the agent.
 */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { Health } from "../../protocol/api/fleet.ts";
import { freePort } from "../support/stack.ts";
import { summaryOf } from "./accounts.ts";
import type { Chain, ChainPlan } from "./chain.ts";
import { type Finding, notRun, promise } from "./figures.ts";
import type { Stage } from "./stage.ts";
import { anyCall, type Setting } from "./suite.ts";
import { until } from "./waiting.ts";

export type DiskPlan = {
  calls: number /** More than the ring holds (10,000), or 0 to leave that out. */;
  localCalls: number;
};

const RING = 10_000;

export async function diskFull(
  { stage, random, print }: Setting,
  { calls, localCalls }: DiskPlan,
): Promise<Finding[]> {
  const why = whyNoDisk();
  if (why !== null) return [notRun("R14", "the agent's disk is full", why)];
  const listenPort = await freePort();
  await using chain = await stage.chain({
    ...smallDisk(stage),
    agentArgs: ["--listen", String(listenPort)],
  });
  const { callers } = chain;
  const problems: string[] = [];
  let left = calls;
  const served = async (subject: string) => {
    const before = callers.entries.length;
    left = calls;
    await callers.load(8, anyCall(random, 20, 2), () => left-- <= 0);
    const bad = callers.entries.slice(before).filter(({ outcome }) => outcome !== "whole");
    problems.push(
      ...bad.map(
        ({ callPlan, outcome, why: reason }) =>
          `${subject}: ${callPlan.key} ended ${outcome}: ${reason}`,
      ),
    );
  };
  await served("before");
  fill(chain);
  await served("while the disk is full");
  if (!tailOf(chain).includes("spool_disk_failed"))
    problems.push("the agent did not log that its disk fails");
  empty(chain);
  await until(
    () => tailOf(chain).includes("spool_disk_back"),
    "the agent logs that its disk works again",
  );
  await served("after");
  const accounts = await chain.accounts();
  const subject = `the agent's disk full for ${calls} calls, then back`;
  const findings = [
    promise("R14", subject, "served, counted, caught up", summaryOf(accounts), [
      ...problems,
      ...accounts.problems,
    ]),
  ];
  return localCalls === 0
    ? findings
    : [...findings, await overflow(chain, listenPort, localCalls, print)];
}

/** Disk full and no tunnel: the ring overflows, and the lost records are counted. */
async function overflow(
  chain: Chain,
  listenPort: number,
  calls: number,
  print: (line: string) => void,
): Promise<Finding> {
  const before = (await chain.stats()).total_requests;
  chain.proxy.isOpen = false;
  chain.proxy.cut();
  fill(chain);
  const agent = new http.Agent({ keepAlive: true });
  let [made, failed] = [0, 0];
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (made++ < calls) if (!(await localCall(listenPort, agent))) failed++;
    }),
  );
  agent.destroy();
  print(`${calls} local calls on a full disk without a tunnel, ${failed} failed`);
  empty(chain);
  await until(
    () => /spool_disk_back","lost":[1-9]/.test(tailOf(chain)),
    "the agent logs that its disk works again and how many records it lost",
  );
  const lost = Number([...tailOf(chain).matchAll(/spool_disk_back","lost":(\d+)/g)].at(-1)?.[1]);
  chain.proxy.isOpen = true;
  const expected = before + calls - lost;
  await until(
    async () => (await chain.stats()).total_requests >= expected,
    `${expected} are counted`,
    60_000,
  ).catch(() => {});
  const counted = (await chain.stats()).total_requests;
  const problems = failed > 0 ? [`${failed} local calls were not served`] : [];
  const isShown = async () => {
    const [box] = await chain.boxes();
    const { concerns } = Health.parse(await (await fetch(`${chain.url}/api/health`)).json());
    const exported = await chain.metric('ollama_agent_lost_records_total{box="box"}');
    return (
      box?.lost === lost &&
      exported === lost &&
      concerns.some(({ code, params }) => code === "records_lost" && params.records === lost)
    );
  };
  await until(isShown, "the loss is shown").catch(() =>
    problems.push("/api/boxes, /api/health and /api/metrics do not show the loss"),
  );
  if (counted !== expected)
    problems.push(
      `${counted} records are counted instead of ${expected} (${before} before, ${calls} calls, ${lost} lost)`,
    );
  const got = `${lost} lost, shown; ${counted - before} of ${calls} counted`;
  return promise(
    "R14",
    `disk full and no tunnel for ${calls} local calls: more than the ring of ${RING} holds`,
    "served; the loss is counted and shown",
    got,
    problems,
  );
}

const localCall = (port: number, agent: http.Agent): Promise<boolean> =>
  new Promise((resolve) => {
    const request = http.get(
      { port, host: "127.0.0.1", path: "/api/version", agent },
      (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode === 200));
      },
    );
    request.on("error", () => resolve(false));
  });

const tailOf = (chain: Chain): string => chain.part("agent").tail.join("\n");

const NAMESPACE = ["--user", "--map-root-user", "--mount"];

function whyNoDisk(): string | null {
  try {
    execFileSync(
      "unshare",
      [...NAMESPACE, "mount", "-t", "tmpfs", "-o", "size=32M", "tmpfs", "/mnt"],
      { stdio: "pipe" },
    );
    return null;
  } catch (error) {
    return `a small disk is not possible here (it needs unshare and user namespaces that may mount a tmpfs): ${(error as Error).message.split("\n")[0]}`;
  }
}

/** Starts an agent whose state folder is a disk of its own. */
function smallDisk(stage: Stage): ChainPlan {
  const stateDir = join(stage.folder, "small-disk");
  mkdirSync(stateDir);
  const script = 'mount -t tmpfs -o size=32M tmpfs "$STATE_DIR" && exec "$0" "$@"';
  return { stateDir, agentCommand: ["unshare", ...NAMESPACE, "sh", "-c", script] };
}

/** Returns the path of the folder as seen inside the agent's namespace. */
const fillerOf = (chain: Chain): string =>
  join(`/proc/${chain.part("agent").pid}/root`, chain.stateDir, "filler");

function fill(chain: Chain): void {
  const file = fillerOf(chain);
  const fd = openSync(file, "w");
  // The last bytes too: a half-empty page still has room for a line.
  for (const size of [64 * 1_024, 1]) while (hasRoomFor(fd, Buffer.alloc(size)));
  closeSync(fd);
  if (statfsSync(file).bavail > 0) throw new Error("the small disk is not full");
}

function hasRoomFor(fd: number, bytes: Buffer): boolean {
  try {
    return writeSync(fd, bytes) === bytes.length;
  } catch {
    return false;
  }
}

const empty = (chain: Chain): void => rmSync(fillerOf(chain));

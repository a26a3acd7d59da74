/**
 * Workers in workerd itself: bundled, configured and served on a free port.
 *
 * With the configuration of the local edge, but without the front before it.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import { ROOT } from "../../local/edge.ts";
import { WORKERD, workerdConfigOf } from "../../local/workerd.ts";
import { CONDITION_MS } from "../support/patience.ts";
import type { Child, Children } from "./children.ts";

export type WorkerPlan = {
  name: string;
  /** Path of the bundle: one ES module. */
  script: string;
  /** Binding of each Durable Object namespace, by class. */
  objects: Record<string, string>;
  variables?: Record<string, string>;
  /** Path of a Unix socket on which it listens as well. */
  socket?: string;
  /** Port on which the inspector lists live objects. */
  inspectorPort?: number;
};

/** Bundles the Worker as for a deploy. @returns the path of the bundle */
export async function bundleProduct(children: Children, folder: string): Promise<string> {
  const outdir = join(folder, "product");
  const args = [
    join(ROOT, "node_modules/wrangler/bin/wrangler.js"),
    "deploy",
    "--dry-run",
    "--outdir",
    outdir,
  ];
  const env = {
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_LOG_PATH: join(folder, "wrangler-logs"),
    CI: "1",
  };
  const code = await children.start({ name: "wrangler", args, env, cwd: ROOT }).ended();
  if (code !== 0) throw new Error("wrangler could not bundle the Worker");
  return join(outdir, "index.js");
}

export async function bundleFloor(folder: string): Promise<string> {
  const outfile = join(folder, "floor.js");
  await build({
    entryPoints: [join(ROOT, "test/bench/floor-worker.ts")],
    outfile,
    bundle: true,
    format: "esm",
    target: "es2024",
  });
  return outfile;
}

/** Serves the Worker and waits until it listens. */
export async function startWorkerd(
  children: Children,
  folder: string,
  port: number,
  plan: WorkerPlan,
): Promise<Child> {
  const home = join(folder, plan.name);
  const disk = join(home, "objects");
  mkdirSync(disk, { recursive: true });
  const { variables = {}, socket } = plan;
  const config = workerdConfigOf({
    script: "worker.js",
    objects: Object.entries(plan.objects).map(([name, binding]) => ({
      name,
      binding,
      uniqueKey: name,
    })),
    variables: Object.keys(variables),
    disk,
    addresses: [`127.0.0.1:${port}`, ...(socket === undefined ? [] : [`unix:${socket}`])],
  });
  writeFileSync(join(home, "config.capnp"), config);
  // Code is embedded relative to the configuration.
  writeFileSync(join(home, "worker.js"), readFileSync(plan.script));
  const args = ["serve", join(home, "config.capnp")];
  if (plan.inspectorPort !== undefined)
    args.push(`--inspector-addr=127.0.0.1:${plan.inspectorPort}`);
  const child = children.start({ name: plan.name, command: WORKERD, args, env: variables });
  const deadline = performance.now() + CONDITION_MS;
  while (!(await listens(port))) {
    if (child.hasEnded || performance.now() > deadline)
      throw new Error(`${plan.name} does not listen: ${child.tail.join("; ")}`);
    await sleep(20);
  }
  return child;
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () =>
      resolve(false),
    );
    socket.once("connect", () => socket.destroy());
  });

/**
 * Workers in workerd itself: bundled, configured and served on a free port.
 *
 * Not in `wrangler dev`, whose proxy costs more CPU time than the Worker.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import { ROOT } from "../../local/edge.ts";
import type { Child, Children } from "./children.ts";

export type WorkerPlan = {
  name: string;
  /** Path of the bundle: one ES module. */
  script: string;
  /** Binding of each Durable Object namespace, by class. */
  objects: Record<string, string>;
  variables?: Record<string, string>;
  /** Port on which the inspector lists live objects. */
  inspectorPort?: number;
};

const START_MS = 15_000;

export const { default: WORKERD, version: WORKERD_VERSION } = createRequire(import.meta.url)(
  "workerd",
) as {
  default: string;
  version: string;
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
  mkdirSync(join(home, "objects"), { recursive: true });
  writeFileSync(join(home, "config.capnp"), configOf(plan, join(home, "objects"), port));
  // Code is embedded relative to the configuration.
  writeFileSync(join(home, "worker.js"), readFileSync(plan.script));
  const args = ["serve", join(home, "config.capnp")];
  if (plan.inspectorPort !== undefined)
    args.push(`--inspector-addr=127.0.0.1:${plan.inspectorPort}`);
  const child = children.start({ name: plan.name, command: WORKERD, args });
  const deadline = performance.now() + START_MS;
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

function configOf({ objects, variables = {} }: WorkerPlan, disk: string, port: number): string {
  const { date, flags } = compatibility(readFileSync(join(ROOT, "wrangler.toml"), "utf8"));
  const text = (value: string) => JSON.stringify(value);
  const namespaces = Object.keys(objects).map(
    (name) => `(className = ${text(name)}, uniqueKey = ${text(name)}, enableSql = true)`,
  );
  const bindings = [
    ...Object.entries(objects).map(
      ([name, binding]) => `(name = ${text(binding)}, durableObjectNamespace = ${text(name)})`,
    ),
    ...Object.entries(variables).map(
      ([name, value]) => `(name = ${text(name)}, text = ${text(value)})`,
    ),
  ];
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = ${text(date)},
      compatibilityFlags = [${flags.map(text).join(", ")}],
      durableObjectNamespaces = [${namespaces.join(", ")}],
      durableObjectStorage = (localDisk = "disk"),
      bindings = [${bindings.join(", ")}],
    )),
    (name = "disk", disk = (path = ${text(disk)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`;
}

/** Reads the two settings from wrangler.toml, each of which is on one line. */
function compatibility(toml: string): { date: string; flags: string[] } {
  const date = /^compatibility_date *= *"([^"]+)"/m.exec(toml)?.[1];
  const flags = /^compatibility_flags *= *\[([^\]]*)\]/m.exec(toml)?.[1];
  if (date === undefined || flags === undefined)
    throw new Error("wrangler.toml must set compatibility_date and compatibility_flags");
  return { date, flags: [...flags.matchAll(/"([^"]+)"/g)].map(([, flag = ""]) => flag) };
}

/** A Worker in `wrangler dev`, for suites that replace its code while it runs. */
import { join } from "node:path";
import { ROOT } from "../../local/edge.ts";
import type { Child, Children } from "../bench/children.ts";
import { until } from "./waiting.ts";

/** Turns off wrangler's notices and what it would open or send besides the Worker. */
const QUIET = {
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  X_LOCAL_EXPLORER: "false",
  X_LOCAL_OBSERVABILITY: "false",
  NO_COLOR: "1",
};

/** @param code  folder that may contain only code, because wrangler reloads on every change in it */
export async function startWrangler(
  { children, folder }: { children: Children; folder: string },
  { name, port, url }: { name: string; port: number; url: string },
  code: string,
): Promise<Child> {
  const options = {
    config: join(code, "wrangler.toml"),
    port: String(port),
    ip: "127.0.0.1",
    "inspector-port": "0",
    "persist-to": join(folder, `${name}-state`),
    "show-interactive-dev-session": "false",
    "log-level": "warn",
  };
  const args = [
    join(ROOT, "node_modules/wrangler/bin/wrangler.js"),
    "dev",
    ...Object.entries(options).flatMap(([option, value]) => [`--${option}`, value]),
  ];
  const env = {
    ...QUIET,
    WRANGLER_LOG_PATH: join(folder, "wrangler-logs"),
    WRANGLER_REGISTRY_PATH: join(folder, "registry"),
  };
  const child = children.start({ name: `${name} wrangler`, args, env, cwd: code });
  await until(async () => (await fetch(`${url}/healthz`)).ok, "wrangler serves");
  return child;
}

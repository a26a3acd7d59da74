/**
 * The configuration of workerd, the runtime of Cloudflare Workers, as `npm start`, the benchmarks
 * and the fault tests use it. It opens no inspector and no port but the addresses it is given.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** Path and version of the program. */
export const { default: WORKERD, version: WORKERD_VERSION } = createRequire(import.meta.url)(
  "workerd",
) as {
  default: string;
  version: string;
};

export type WorkerdPlan = {
  /** File name of the Worker: one ES module beside the configuration. */
  script: string;
  objects: readonly {
    /** Class of the Durable Object. */
    name: string;
    binding: string;
    /** Decides the ids of the objects and the name of their folder. */
    uniqueKey: string;
  }[];
  /** Names of the environment variables that the Worker gets as bindings. */
  variables: readonly string[];
  /** Folder of the objects' databases. */
  disk: string;
  /** The static files, and the file name of the Worker that serves them. */
  assets?: { script: string; folder: string };
  /** Where to listen, for example `127.0.0.1:8000` or `unix:/tmp/socket`. */
  addresses: readonly string[];
};

/**
 * Returns the configuration as text. Values of variables are not part of it, because it lies on
 * disk: workerd reads them from its environment.
 */
export function workerdConfigOf(plan: WorkerdPlan): string {
  const { date, flags } = compatibilityOf(
    readFileSync(new URL("../wrangler.toml", import.meta.url), "utf8"),
  );
  const compatibility = `compatibilityDate = ${quoted(date)},
      compatibilityFlags = [${flags.map(quoted).join(", ")}]`;
  const namespaces = plan.objects.map(
    ({ name, uniqueKey }) =>
      `(className = ${quoted(name)}, uniqueKey = ${quoted(uniqueKey)}, enableSql = true)`,
  );
  const bindings = [
    ...plan.objects.map(
      ({ name, binding }) =>
        `(name = ${quoted(binding)}, durableObjectNamespace = ${quoted(name)})`,
    ),
    ...plan.variables.map((name) => `(name = ${quoted(name)}, fromEnvironment = ${quoted(name)})`),
    ...(plan.assets === undefined ? [] : [`(name = "ASSETS", service = "assets")`]),
  ];
  const sockets = plan.addresses.map(
    (address, index) =>
      `(name = "http-${index}", address = ${quoted(address)}, http = (${CALLER}), service = "edge")`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "edge", worker = (
      modules = [(name = "worker.js", esModule = embed ${quoted(plan.script)})],
      ${compatibility},
      durableObjectNamespaces = [${namespaces.join(", ")}],
      durableObjectStorage = (localDisk = "disk"),
      bindings = [${bindings.join(", ")}],
    )),
    (name = "disk", disk = (path = ${quoted(plan.disk)}, writable = true)),
    (name = "internet", network = (
      allow = ["public", "private"],
      tlsOptions = (trustBrowserCas = true),
    )),${plan.assets === undefined ? "" : assetServicesOf(plan.assets, compatibility)}
  ],
  sockets = [${sockets.join(", ")}],
);
`;
}

/**
 * Cloudflare sets this header itself, so a caller cannot choose its value there. Here every caller
 * is on this machine.
 */
const CALLER = `injectRequestHeaders = [(name = "CF-Connecting-IP", value = "127.0.0.1")]`;

const assetServicesOf = (
  { script, folder }: { script: string; folder: string },
  compatibility: string,
): string => `
    (name = "assets", worker = (
      modules = [(name = "assets.js", esModule = embed ${quoted(script)})],
      ${compatibility},
      bindings = [(name = "FILES", service = "files")],
    )),
    (name = "files", disk = (path = ${quoted(folder)})),`;

/** A string of Cap'n Proto has the escapes of C, to which those of JSON belong. */
const quoted = (text: string): string => JSON.stringify(text);

/** Reads the two settings from wrangler.toml, each of which is on one line. */
function compatibilityOf(toml: string): { date: string; flags: string[] } {
  const date = /^compatibility_date *= *"([^"]+)"/m.exec(toml)?.[1];
  const flags = /^compatibility_flags *= *\[([^\]]*)\]/m.exec(toml)?.[1];
  if (date === undefined || flags === undefined)
    throw new Error("wrangler.toml must set compatibility_date and compatibility_flags");
  return { date, flags: [...flags.matchAll(/"([^"]+)"/g)].map(([, flag = ""]) => flag) };
}

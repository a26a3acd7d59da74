/**
 * The Worker's settings, from wrangler.toml, secrets and `.dev.vars`, parsed once per isolate. `npm
 * start` parses them too, before it starts anything.
 *
 * A Worker cannot refuse to start, so every call is answered with the invalid setting: the name of
 * the variable, never its value. It fails closed: without keys nothing is open.
 */
import * as z from "zod";
import { OnOff } from "../protocol/api/config.ts";
import { isOrigin } from "../protocol/cross-origin.ts";
import { BOX_NAME } from "../protocol/limits.ts";
import { GatewayError } from "./errors.ts";
import {
  checkTogether,
  STORE_VARIABLES,
  type StoreSettings,
  storeSettings,
} from "./export/settings.ts";
import {
  checkIdentity,
  IDENTITY_VARIABLES,
  type IdentitySettings,
  identitySettings,
} from "./identity/settings.ts";
import { checkRetention, RETENTION_VARIABLES, type Retention, retentionOf } from "./retention.ts";

export type Settings = {
  authMode: "keys" | "open";
  adminKey: string | null;
  callerKey: string | null;
  readKey: string | null;
  statsKey: string | null;
  metricsKey: string | null;
  /** The secrets behind the keys that the edge makes, newest first. Empty if none is set. */
  peppers: readonly string[];
  boxSecrets: ReadonlyMap<string, string>;
  /** In lower case; `*` for any. */
  corsOrigins: ReadonlySet<string>;
  logContent: "on" | "off";
  enableInstrumentation: boolean;
  retention: Retention;
  stores: StoreSettings;
  /** Null if people do not sign in with an identity provider. */
  identity: IdentitySettings | null;
};

/** A key that can be guessed protects nothing. */
const KEY_CHARS_MIN = 16;
const key = z
  .string()
  .min(KEY_CHARS_MIN, `must have at least ${KEY_CHARS_MIN} characters`)
  .max(256, "must have at most 256 characters")
  .refine((text) => !isWeak(text), "is easy to guess: generate one with `openssl rand -hex 24`")
  .optional();

/** A key of 16 random hexadecimal digits has fewer once in 100,000 keys. */
const KEY_DISTINCT_MIN = 5;

/** Returns whether a key repeats a few characters, or a pattern. */
function isWeak(text: string): boolean {
  if (new Set(text).size < KEY_DISTINCT_MIN) return true;
  for (let period = 1; period <= text.length / 2; period++)
    if (text.startsWith(text.slice(period))) return true;
  return false;
}

/** The descriptions are the table in `docs/configuration.md`: run `npm run generate`. */
export const WorkerVariables = z
  .object({
    AUTH_MODE: z
      .enum(["keys", "open"], { error: 'must be "keys" or "open"' })
      .default("keys")
      .describe(
        "`keys` requires a key for every call. `open` requires none, and works only for requests to a " +
          "loopback host name; `npm start` uses it unless `ADMIN_KEY` is set",
      ),
    ADMIN_KEY: key.describe(
      "the key that may do everything, including pulling and deleting models. 16 to 256 characters. " +
        "Without it the Worker answers nothing but `/healthz`",
    ),
    CALLER_KEY: key.describe("a key that may only infer"),
    READ_KEY: key.describe(
      "a key that may only read: statistics, logs (with prompts!) and metrics",
    ),
    STATS_KEY: key.describe(
      "a key that may only read, and gets logs without prompts, responses and error messages of Ollama",
    ),
    METRICS_KEY: key.describe("a key that may only load `/api/metrics`, for Prometheus"),
    KEY_PEPPER: key.describe(
      "the secret from which the edge makes keys (`POST /api/keys`). Without it, that is ADMIN_KEY, and " +
        "replacing ADMIN_KEY makes all of them invalid",
    ),
    KEY_PEPPER_OLD: key.describe(
      "an earlier KEY_PEPPER, or the ADMIN_KEY that served as one: keys made with it go on working",
    ),
    BOX_SECRETS: z
      .string()
      .default("")
      .transform(boxSecretsOf)
      .describe(
        "the boxes that may connect: `name=secret,name=secret`. A secret has at least 16 characters",
      ),
    CORS_ORIGINS: z
      .string()
      .default("")
      .transform(originsOf)
      .describe(
        "web pages that may call the edge from a browser: `https://chat.example.com,app://obsidian.md`, " +
          "or `*` for any page, which then reaches only Ollama's paths. On a loopback address Ollama's " +
          "default origins may call those paths anyway",
      ),
    LOG_CONTENT: z
      .enum(OnOff.options, { error: 'must be "on" or "off"' })
      .default("on")
      .describe(
        "`off`: prompts and responses are stored nowhere, and their fields are `null`. The edge permanently " +
          "removes those that it stored before. See [the limits](../SECURITY.md#known-limits)",
      ),
    ENABLE_INSTRUMENTATION: z
      .enum(["true", "false"], { error: 'must be "true" or "false"' })
      .default("true")
      .describe("`false`: calls are served but not recorded"),
    ...RETENTION_VARIABLES,
    ...IDENTITY_VARIABLES,
    ...STORE_VARIABLES,
  })
  .refine((s) => s.AUTH_MODE === "open" || s.ADMIN_KEY !== undefined, {
    path: ["ADMIN_KEY"],
    error: "must be set because AUTH_MODE is keys: run `wrangler secret put ADMIN_KEY`",
  })
  .superRefine(checkKeysDiffer)
  .superRefine(checkRetention)
  .superRefine(checkIdentity)
  .superRefine(checkTogether);

const KEYS = ["ADMIN_KEY", "CALLER_KEY", "READ_KEY", "STATS_KEY", "METRICS_KEY"] as const;

/** Two variables with one key would give it the scopes of only one of them. */
function checkKeysDiffer(
  set: Partial<Record<(typeof KEYS)[number], string | undefined>>,
  context: z.RefinementCtx,
): void {
  for (const [at, name] of KEYS.entries()) {
    const same = KEYS.slice(0, at).find((other) => set[other] === set[name]);
    if (set[name] !== undefined && same !== undefined)
      context.addIssue({ code: "custom", path: [name], message: `must differ from ${same}` });
  }
}

const parsed = new WeakMap<object, Settings>();

/** @throws {GatewayError} `misconfigured`, which names each invalid variable */
export function settingsOf(bindings: Readonly<Record<string, unknown>>): Settings {
  const known = parsed.get(bindings);
  if (known !== undefined) return known;
  // wrangler.toml may hold 5 or true where the environment holds "5" or "true".
  const set = Object.fromEntries(
    Object.entries(bindings)
      .filter(([, value]) => value !== "")
      .map(([name, value]) => [
        name,
        typeof value === "number" || typeof value === "boolean" ? String(value) : value,
      ]),
  );
  const result = WorkerVariables.safeParse(set);
  if (!result.success) {
    throw new GatewayError({
      reason: "misconfigured",
      detail: result.error.issues
        .map((issue) => `${issue.path.join(".")} ${issue.message}`)
        .join("; "),
    });
  }
  const env = result.data;
  const settings: Settings = {
    authMode: env.AUTH_MODE,
    adminKey: env.ADMIN_KEY ?? null,
    callerKey: env.CALLER_KEY ?? null,
    readKey: env.READ_KEY ?? null,
    statsKey: env.STATS_KEY ?? null,
    metricsKey: env.METRICS_KEY ?? null,
    peppers: [env.KEY_PEPPER ?? env.ADMIN_KEY, env.KEY_PEPPER_OLD].flatMap((text) => text ?? []),
    boxSecrets: env.BOX_SECRETS,
    corsOrigins: env.CORS_ORIGINS,
    logContent: env.LOG_CONTENT,
    enableInstrumentation: env.ENABLE_INSTRUMENTATION === "true",
    retention: retentionOf(env),
    stores: storeSettings(env),
    identity: identitySettings(env),
  };
  parsed.set(bindings, settings);
  return settings;
}

/** Settings changed at run time. `null` means as deployed. */
export const RunTimeSettings = z.object({
  enable_instrumentation: z.boolean().nullable().default(null),
  log_content: OnOff.nullable().default(null),
  /** Unix ms; null if every setting is as deployed. */
  changed_at_ms: z.number().nullable().default(null),
});
export type RunTimeSettings = z.infer<typeof RunTimeSettings>;

/** Returns the settings in force: those deployed, with the changes made at run time. */
export const inForce = (
  deployed: Settings,
  changed: RunTimeSettings,
): Pick<Settings, "enableInstrumentation" | "logContent"> => ({
  enableInstrumentation: changed.enable_instrumentation ?? deployed.enableInstrumentation,
  logContent: changed.log_content ?? deployed.logContent,
});

/** Parses `name=secret,other=secret`. */
function boxSecretsOf(text: string, context: z.RefinementCtx): ReadonlyMap<string, string> {
  const secrets = new Map<string, string>();
  for (const entry of text.split(",").map((part) => part.trim())) {
    if (entry === "") continue;
    const at = entry.indexOf("=");
    const name = entry.slice(0, at);
    const secret = entry.slice(at + 1);
    if (at < 0 || !BOX_NAME.test(name))
      context.addIssue("must be a list of name=secret, separated by commas");
    else if (secret.length < KEY_CHARS_MIN)
      context.addIssue(`must give box ${name} a secret of at least ${KEY_CHARS_MIN} characters`);
    else if (isWeak(secret))
      context.addIssue(
        `must give box ${name} a secret that is hard to guess: \`openssl rand -hex 24\` makes one`,
      );
    else if (secrets.has(name)) context.addIssue(`must name box ${name} only once`);
    else secrets.set(name, secret);
  }
  return secrets;
}

/** Parses `https://chat.example.com,app://obsidian.md`, as browsers write an `Origin`. */
function originsOf(text: string, context: z.RefinementCtx): ReadonlySet<string> {
  const origins = text.split(",").flatMap((part) => part.trim().toLowerCase() || []);
  for (const origin of origins)
    if (origin !== "*" && !isOrigin(origin))
      context.addIssue(
        "must be a list of origins, separated by commas: https://chat.example.com, without a path",
      );
  return new Set(origins);
}

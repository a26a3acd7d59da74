/**
 * Settings of `npm start` and `npm run demo`: the environment, parsed once. An invalid setting
 * stops the program before anything starts; the message names the variable and never contains its
 * value.
 */
import { join, resolve } from "node:path";
import * as z from "zod";
import { defaultBoxName, ollamaHost, parsedUrl } from "../agent/config.ts";
import { BOX_NAME } from "../protocol/limits.ts";
import { WorkerVariables } from "../worker/settings.ts";

/** Settings of the Worker, which it gets unchanged from the environment. */
export const WORKER_SETTINGS: readonly string[] = Object.keys(WorkerVariables.shape);

export type LocalSettings = {
  port: number;
  ollamaUrl: URL;
  /** An absolute path. */
  stateDir: string;
  box: string;
  worker: Record<string, string>;
};

/** An invalid setting. The message is for the operator and has one line per variable. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

const PORT_MESSAGE = "is not a port: use a whole number from 1 to 65535";

/** The descriptions are the table in `docs/configuration.md`: run `npm run generate`. */
export const LocalVariables = z.object({
  PORT: z
    .string()
    .regex(/^\d{1,5}$/, PORT_MESSAGE)
    .transform(Number)
    .pipe(z.number().min(1, PORT_MESSAGE).max(65_535, PORT_MESSAGE))
    .default(8_000)
    .describe("the port of the Worker, on 127.0.0.1"),
  OLLAMA_HOST: z
    .string()
    .default("http://127.0.0.1:11434")
    .transform(ollamaUrlOf)
    .describe("the Ollama to serve"),
  STATE_DIR: z
    .string()
    .default(".state")
    .describe(
      "the folder of everything that persists. The next start with the same folder continues the " +
        "counters. Simulated data has folders of its own below it",
    ),
  BOX_NAME: z
    .string()
    .regex(
      BOX_NAME,
      "is not a box name: 1-63 letters, digits, '.', '_' or '-', starting with a letter or digit",
    )
    .optional()
    .meta({ fallback: "the host name", description: "the name of this box" }),
});

/**
 * @param environment  an empty variable counts as not set
 * @param host         name of this machine, the default name of the box
 * @throws {SettingsError}
 */
export function localSettingsOf(
  environment: Record<string, string | undefined>,
  host: string,
): LocalSettings {
  const set = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
  // Somebody who sets a key expects that calls without it are refused.
  const worker: Record<string, string> = { AUTH_MODE: set.ADMIN_KEY ? "keys" : "open" };
  for (const name of WORKER_SETTINGS) if (set[name] !== undefined) worker[name] = set[name];
  const result = LocalVariables.safeParse(set);
  const parsedByWorker = WorkerVariables.safeParse(worker);
  const issues = [
    ...(result.error?.issues ?? []).map(({ path, message }) => `${path.join(".")} ${message}`),
    ...(parsedByWorker.error?.issues ?? []).map((issue) => adviceOf(issue, worker)),
  ];
  if (!result.success || issues.length > 0) throw new SettingsError(issues.join("\n"));
  const { PORT, OLLAMA_HOST, STATE_DIR, BOX_NAME: box = defaultBoxName(host) } = result.data;
  return { port: PORT, ollamaUrl: OLLAMA_HOST, stateDir: resolve(STATE_DIR), box, worker };
}

/** Makes a key or secret that nobody guesses. */
const GENERATED = "$(openssl rand -hex 24)";

/** Returns what is wrong with a setting of the Worker and what to do on this machine. */
function adviceOf(
  { path, message }: { path: PropertyKey[]; message: string },
  worker: Record<string, string>,
): string {
  const name = path.join(".");
  const isSet = worker[name] !== undefined;
  if (name === "ADMIN_KEY" && !isSet)
    return `ADMIN_KEY must be set because AUTH_MODE is keys. For example: ADMIN_KEY=${GENERATED} npm start`;
  if (!isSet) return `${name} ${message}. Set ${name} as well.`;
  if (name.endsWith("_KEY")) return `${name} ${message}. For example: ${name}=${GENERATED}`;
  if (name === "AUTH_MODE") return `${name} ${message}. Without it, npm start needs no keys.`;
  return `${name} ${message}.`;
}

/**
 * Returns whether the arguments request the demo.
 * @throws {SettingsError}  for any other argument
 */
export function isDemoOf(args: readonly string[]): boolean {
  const [other] = args.filter((arg) => arg !== "--demo");
  if (other !== undefined)
    throw new SettingsError(
      `npm start and npm run demo take no arguments, and ${other} is one. Settings are variables: ` +
        "PORT=8001 npm start. They are listed in docs/configuration.md.",
    );
  return args.length > 0;
}

/** Folders of the state of one stack. Simulated and real records never share one. */
export function foldersOf(
  stateDir: string,
  kind: "real" | "simulated" | "demo",
): { edge: string; agent(box: string): string } {
  const base = kind === "real" ? stateDir : join(stateDir, kind);
  return {
    edge: join(base, "edge"),
    agent: (box) => (kind === "demo" ? join(base, "agents", box) : join(base, "agent")),
  };
}

/**
 * Returns the secret of a box in `BOX_SECRETS` (`name=secret,other=secret`), or null if it has
 * none.
 */
export function boxSecretOf(boxSecrets: string | undefined, box: string): string | null {
  const entry = (boxSecrets ?? "").split(",").find((part) => part.trim().startsWith(`${box}=`));
  return entry === undefined ? null : entry.trim().slice(box.length + 1);
}

function ollamaUrlOf(text: string, context: z.RefinementCtx): URL {
  const url = parsedUrl(ollamaHost(text));
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "") return url;
  context.addIssue(
    "is not an address of Ollama, for example http://127.0.0.1:11434 or 127.0.0.1:11434",
  );
  return z.NEVER;
}

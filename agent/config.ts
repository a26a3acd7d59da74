/**
 * The agent's settings: parses the environment once. An invalid setting stops the agent before it
 * starts. The message names the variable and its value, but never a secret.
 */
import { hostname } from "node:os";
import { resolve } from "node:path";
import * as z from "zod";
import { BoxName } from "../protocol/records.ts";
import { ConfigError } from "./errors.ts";
import { type Redact, redactOf } from "./redact/redaction.ts";
import { REDACTION_VARIABLES } from "./redact/settings.ts";

export type AgentConfig = {
  edgeUrl: URL;
  /** Unix socket of a Worker on this machine, dialled instead of the address of `edgeUrl`. */
  edgeSocket: string | null;
  box: string;
  boxSecret: string | null;
  ollamaUrl: URL;
  stateDir: string;
  /** Ollama's model folder; null if `OLLAMA_MODELS` is not set. */
  ollamaModels: string | null;
  /**
   * Ollama's parallel slots for each model; null if `OLLAMA_NUM_PARALLEL` is not set or invalid.
   */
  ollamaParallel: number | null;
  nvidiaSmi: string;
  simulated: boolean;
  /** Removes from the texts of records; null if they stay as they are. */
  redact: Redact | null;
  /** Lets callers use the tools that Ollama runs on ollama.com, on the owner's account. */
  allowsServerTools: boolean;
  /** Lets the edge update the agent. */
  allowsUpdates: boolean;
};

const EDGE_EXAMPLE = "https://ollama-edge-serve.you.workers.dev";
const HOST_EXAMPLE = "http://127.0.0.1:11434";

/** A rejected value as a message shows it. A value that may contain credentials is not shown. */
const shown = (text: string): string =>
  text.includes("@") ? "" : `; got ${JSON.stringify(text.slice(0, 100))}`;

/** Returns null for text without a host: `http:///bad` would otherwise become the host `bad`. */
export const parsedUrl = (text: string): URL | null =>
  !text.includes(":///") && URL.canParse(text) ? new URL(text) : null;

const httpUrl = (expected: string, normalise: (text: string) => string) =>
  z.string().transform((text, context) => {
    const parsed = parsedUrl(normalise(text));
    if (parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === "")
      return parsed;
    context.addIssue(`must be ${expected}${shown(text)}.`);
    return z.NEVER;
  });

const isOnThisMachine = ({ hostname: host }: URL): boolean =>
  host === "localhost" ||
  host.endsWith(".localhost") ||
  host === "[::1]" ||
  /^127(\.\d+){3}$/.test(host);

const unchanged = (text: string): string => text;

const flag = () =>
  z
    .enum(["0", "1"], { error: ({ input }) => `must be 0 or 1${shown(String(input))}.` })
    .default("0");

/**
 * The descriptions, and `fallback` for a default that depends on the machine, are the table in
 * `docs/configuration.md`: run `npm run generate`.
 */
export const AgentVariables = z.object({
  EDGE_URL: z
    .string({ error: `is not set. Set it to the URL of your Worker, e.g. ${EDGE_EXAMPLE}.` })
    .pipe(httpUrl(`an http or https URL without credentials, e.g. ${EDGE_EXAMPLE}`, unchanged))
    .refine((url) => url.protocol === "https:" || isOnThisMachine(url), {
      error: ({ input }) =>
        `must begin with https:// unless the Worker runs on this machine: the tunnel carries prompts and ` +
        `the secret of this box${shown((input as URL).origin)}.`,
    })
    .describe(
      `the URL of your Worker, such as \`${EDGE_EXAMPLE}\`. Required. It must begin with ` +
        "`https://` unless the Worker runs on this machine",
    ),
  EDGE_SOCKET: z
    .string()
    .optional()
    .describe(
      "the path of a Unix socket of a Worker on this machine, dialled instead of the address of " +
        "`EDGE_URL`. `npm start` sets it",
    ),
  BOX_NAME: z
    .string()
    .refine((name) => BoxName.safeParse(name).success, {
      error: ({ input }) =>
        "must be 1 to 63 letters, digits, '.', '_' or '-', starting with a letter or a digit" +
        `${shown(String(input))}.`,
    })
    .optional()
    .meta({
      fallback: "the host name",
      description: "the name of this box: 1 to 63 letters, digits, `.`, `_` or `-`",
    }),
  BOX_SECRET: z
    .string()
    .optional()
    .describe("the secret of this box, as in the Worker's `BOX_SECRETS`"),
  OLLAMA_HOST: z
    .string()
    .default(HOST_EXAMPLE)
    .pipe(httpUrl(`the address of an Ollama, e.g. ${HOST_EXAMPLE}`, ollamaHost))
    .describe("the Ollama to serve, in any form that Ollama itself accepts"),
  // Ollama's own setting: an invalid value is Ollama's to report.
  OLLAMA_NUM_PARALLEL: z.coerce.number().int().positive().optional().catch(undefined).meta({
    fallback: "1, or as many as work at once",
    description:
      "parallel slots of each model. Set it to Ollama's own value; otherwise the agent finds out while it serves",
  }),
  OLLAMA_MODELS: z.string().optional().meta({
    fallback: "Ollama's usual folders",
    description: "the folder of Ollama's models. The agent reports how full its disk is",
  }),
  STATE_DIR: z
    .string()
    .default(".state/agent")
    .describe(
      "the folder where finished requests wait. The systemd unit sets `/var/lib/ollama-edge-agent`",
    ),
  NVIDIA_SMI: z.string().default("nvidia-smi").describe("the path of nvidia-smi"),
  SIMULATED: flag().describe("`1` labels everything from this box as simulated"),
  ...REDACTION_VARIABLES,
  ALLOW_SERVER_TOOLS: flag().describe(
    "`1` lets callers use the tools that Ollama runs on ollama.com, see " +
      "[cloud models](agent.md#cloud-models)",
  ),
  UPDATES: z
    .enum(["on", "off"], { error: ({ input }) => `must be on or off${shown(String(input))}.` })
    .default("on")
    .describe("`off` forbids the edge to update the agent, see [updates](agent.md#updates)"),
});

type Variables = Record<string, string | undefined>;

/** Maps a variable to the name that messages use. The library adds the name of its option. */
type Naming = (variable: string) => string;

/**
 * Returns the settings of the agent.
 * @throws {ConfigError} with one line for each missing or invalid variable
 */
export function configOf(environment: Variables, nameOf: Naming = unchanged): AgentConfig {
  const {
    EDGE_URL,
    EDGE_SOCKET,
    BOX_NAME,
    BOX_SECRET,
    OLLAMA_HOST,
    OLLAMA_MODELS,
    OLLAMA_NUM_PARALLEL,
    STATE_DIR,
    NVIDIA_SMI,
    SIMULATED,
    REDACT,
    REDACT_WORDS,
    ALLOW_SERVER_TOOLS,
    UPDATES,
  } = parsed(AgentVariables, environment, nameOf);
  return {
    edgeUrl: EDGE_URL,
    edgeSocket: EDGE_SOCKET ?? null,
    boxSecret: BOX_SECRET ?? null,
    ...servedPartOf({ BOX_NAME, OLLAMA_HOST, ALLOW_SERVER_TOOLS }),
    stateDir: resolve(STATE_DIR),
    ollamaModels: OLLAMA_MODELS ?? null,
    ollamaParallel: OLLAMA_NUM_PARALLEL ?? null,
    nvidiaSmi: NVIDIA_SMI,
    simulated: SIMULATED === "1",
    allowsUpdates: UPDATES === "on",
    redact: redactOf(REDACT, REDACT_WORDS),
  };
}

/** The settings that need no edge. */
export type ServedConfig = Pick<AgentConfig, "box" | "ollamaUrl" | "allowsServerTools">;

const SERVED = { BOX_NAME: true, OLLAMA_HOST: true, ALLOW_SERVER_TOOLS: true } as const;
const ServedVariables = AgentVariables.pick(SERVED);

/**
 * Returns the settings that need no edge.
 * @throws {ConfigError}
 */
export const servedConfigOf = (environment: Variables, nameOf: Naming = unchanged): ServedConfig =>
  servedPartOf(parsed(ServedVariables, environment, nameOf));

/** The settings of the bench, which needs no edge. */
export type BenchConfig = ServedConfig & Pick<AgentConfig, "nvidiaSmi" | "simulated">;

const BenchVariables = AgentVariables.pick({
  ...SERVED,
  NVIDIA_SMI: true,
  SIMULATED: true,
});

/**
 * Returns the settings of the bench.
 * @throws {ConfigError}
 */
export function benchConfigOf(environment: Variables): BenchConfig {
  const { NVIDIA_SMI, SIMULATED, ...served } = parsed(BenchVariables, environment, unchanged);
  return {
    ...servedPartOf(served),
    nvidiaSmi: NVIDIA_SMI,
    simulated: SIMULATED === "1",
  };
}

const servedPartOf = ({
  BOX_NAME,
  OLLAMA_HOST,
  ALLOW_SERVER_TOOLS,
}: z.infer<typeof ServedVariables>): ServedConfig => ({
  box: BOX_NAME ?? defaultBoxName(hostname()),
  ollamaUrl: OLLAMA_HOST,
  allowsServerTools: ALLOW_SERVER_TOOLS === "1",
});

function parsed<Schema extends z.ZodType>(
  schema: Schema,
  environment: Variables,
  nameOf: Naming,
): z.infer<Schema> {
  const set = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
  const result = schema.safeParse(set);
  if (result.success) return result.data;
  throw new ConfigError(
    result.error.issues
      .map(({ path, message }) => `${nameOf(path.join("."))} ${message}`)
      .join("\n"),
  );
}

/** Turns a host name into a box name: replaces each character that is not allowed with a dash. */
export const defaultBoxName = (host: string): string =>
  host
    .replace(/[^A-Za-z0-9._-]/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 63) || "box";

/**
 * Turns `OLLAMA_HOST` into a URL. Accepts every form that Ollama accepts: without a scheme, without
 * a port, and addresses to listen on, which cannot be dialled as they are.
 * @see https://github.com/ollama/ollama/blob/main/envconfig/config.go (Host)
 */
export function ollamaHost(text: string): string {
  const trimmed = text.trim();
  const withScheme = trimmed.includes("://")
    ? trimmed
    : `http://${trimmed.startsWith(":") ? `127.0.0.1${trimmed}` : trimmed}`;
  const parsed = parsedUrl(withScheme);
  if (parsed === null) return trimmed;
  // Without a scheme the default port is Ollama's; with one it is the scheme's own.
  if (parsed.port === "" && !trimmed.includes("://")) parsed.port = "11434";
  if (parsed.hostname === "0.0.0.0") parsed.hostname = "127.0.0.1";
  if (parsed.hostname === "[::]") parsed.hostname = "[::1]";
  return parsed.href;
}

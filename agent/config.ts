/**
 * The agent's settings: environment, parsed once. An impossible setting stops the agent before it
 * starts, with the name of the variable and never its value.
 */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { z } from "zod";
import { BoxName } from "../protocol/records.ts";
import { ConfigError } from "./errors.ts";

export type AgentConfig = {
  edgeUrl: URL;
  box: string;
  boxSecret: string | null;
  ollamaUrl: URL;
  stateDir: string;
  /** Where Ollama keeps its models, if it was told so by `OLLAMA_MODELS`. */
  ollamaModels: string | null;
  nvidiaSmi: string;
  simulated: boolean;
};

const url = (what: string, protocols: string[]) =>
  z.string().transform((text, context) => {
    const parsed = URL.canParse(text) ? new URL(text) : null;
    if (parsed !== null && protocols.includes(parsed.protocol) && parsed.username === "")
      return parsed;
    context.addIssue(`is not ${what}`);
    return z.NEVER;
  });

export const AgentVariables = z.object({
  EDGE_URL: z
    .string({
      error: "is not set: the URL of your Worker, e.g. https://ollama-edge-serve.you.workers.dev",
    })
    .pipe(url("an http(s) URL without credentials", ["http:", "https:"])),
  BOX_NAME: BoxName.optional(),
  BOX_SECRET: z.string().min(1, "is empty").optional(),
  OLLAMA_HOST: z
    .string()
    .default("http://127.0.0.1:11434")
    .transform(ollamaHost)
    .pipe(url("an address of an Ollama, e.g. http://127.0.0.1:11434", ["http:", "https:"])),
  OLLAMA_MODELS: z.string().optional(),
  STATE_DIR: z.string().min(1, "is empty").default(".state/agent"),
  NVIDIA_SMI: z.string().min(1, "is empty").default("nvidia-smi"),
  SIMULATED: z.enum(["0", "1"], { error: "is 0 or 1" }).default("0"),
});

type Variables = Record<string, string | undefined>;

/** How a message names a variable; a program that sets it another way is told of that way. */
type Naming = (variable: string) => string;

/** @throws {ConfigError} one line per wrong variable. */
export function configOf(environment: Variables, nameOf: Naming = unchanged): AgentConfig {
  const {
    EDGE_URL,
    BOX_NAME,
    BOX_SECRET,
    OLLAMA_HOST,
    OLLAMA_MODELS,
    STATE_DIR,
    NVIDIA_SMI,
    SIMULATED,
  } = parsed(AgentVariables, environment, nameOf);
  return {
    edgeUrl: EDGE_URL,
    boxSecret: BOX_SECRET ?? null,
    ...placeOf({ BOX_NAME, OLLAMA_HOST }),
    stateDir: resolve(STATE_DIR),
    ollamaModels: OLLAMA_MODELS ?? null,
    nvidiaSmi: NVIDIA_SMI,
    simulated: SIMULATED === "1",
  };
}

/**
 * The part that needs no edge: which Ollama, on which box.
 * @throws {ConfigError}
 */
export const boxConfigOf = (
  environment: Variables,
  nameOf: Naming = unchanged,
): Pick<AgentConfig, "box" | "ollamaUrl"> =>
  placeOf(parsed(AgentVariables.pick({ BOX_NAME: true, OLLAMA_HOST: true }), environment, nameOf));

const placeOf = ({
  BOX_NAME,
  OLLAMA_HOST,
}: {
  BOX_NAME?: string | undefined;
  OLLAMA_HOST: URL;
}) => ({
  box: BOX_NAME ?? defaultBoxName(hostname()),
  ollamaUrl: OLLAMA_HOST,
});

const unchanged: Naming = (variable) => variable;

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

/** The host's name as a box name: what is not allowed becomes a dash. */
export const defaultBoxName = (host: string): string =>
  host
    .replace(/[^A-Za-z0-9._-]/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 63) || "box";

/**
 * `OLLAMA_HOST` in all the forms that Ollama itself takes: no scheme, no port, or an address to
 * listen on, which is no address to dial.
 * @see https://github.com/ollama/ollama/blob/main/envconfig/config.go (Host)
 */
export function ollamaHost(text: string): string {
  const trimmed = text.trim();
  const withScheme = trimmed.includes("://")
    ? trimmed
    : `http://${trimmed.startsWith(":") ? `127.0.0.1${trimmed}` : trimmed}`;
  if (!URL.canParse(withScheme)) return trimmed;
  const parsed = new URL(withScheme);
  // Ollama's default port is not HTTP's, but a scheme that was written out means its own.
  if (parsed.port === "" && !trimmed.includes("://")) parsed.port = "11434";
  if (parsed.hostname === "0.0.0.0") parsed.hostname = "127.0.0.1";
  if (parsed.hostname === "[::]") parsed.hostname = "[::1]";
  return parsed.href;
}

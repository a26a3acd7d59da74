/** The options of {@link OllamaService}, parsed once. An error names the option and its value. */
import * as z from "zod";
import { type AgentConfig, configOf, type ServedConfig, servedConfigOf } from "../config.ts";
import { ConfigError } from "../errors.ts";

/** External stores to which the edge exports records besides keeping them in its ledger. */
export type ExporterTypeOption = "none" | "clickhouse" | "postgres" | "both";

export type NetworkConfigOptions = {
  /**
   * Host name or address to listen on, IPv6 without brackets. Default: `127.0.0.1`, which only this
   * machine can reach.
   */
  host?: string | undefined;
  /**
   * Port to listen on; 0 means any free port. Must differ from the port of `ollamaUrl`. Default:
   * 11434, Ollama's own.
   */
  port?: number | undefined;
  /**
   * `false` only forwards calls to Ollama: no tunnel, no records, no edge needed. Default: `true`.
   */
  enableInstrumentation?: boolean | undefined;
  /**
   * The external stores that this program expects the edge to export to. The edge exports, not this
   * program: if its setting differs, one warning is logged. Default: `none`.
   */
  exporterType?: ExporterTypeOption | undefined;
  /** Longest time between a finished request and sending its record to the edge, s. Default: 5. */
  metricsExportInterval?: number | undefined;
  /** URL of the Worker. Required unless `EDGE_URL` is set or instrumentation is off. */
  edgeUrl?: string | undefined;
  /** Name of this box. Default: `BOX_NAME`, or the host name if that is not set. */
  box?: string | undefined;
  /** Secret of this box. Default: `BOX_SECRET`. */
  boxSecret?: string | undefined;
  /** Address of the Ollama to serve. Default: `OLLAMA_HOST`, or `http://127.0.0.1:11434`. */
  ollamaUrl?: string | undefined;
  /** Folder for records waiting to be sent. Default: `STATE_DIR`, or `.state/agent`. */
  stateDir?: string | undefined;
};

/** One day: a longer interval is most likely a mistake in the unit. */
const INTERVAL_SECONDS_MAX = 86_400;

/** A rejected value as a message shows it. Strings that may contain credentials are not shown. */
function shown(value: unknown): string {
  if (typeof value !== "string") return `; got ${String(value).slice(0, 100)}`;
  return value.includes("@") ? "" : `; got ${JSON.stringify(value.slice(0, 100))}`;
}

const must = (requirement: string) => ({
  error: ({ input }: { input: unknown }) => `must be ${requirement}${shown(input)}.`,
});

/** Its value may be a secret, so it is never shown. */
const NonEmpty = z.string("must be a string.").min(1, "must not be empty.");
const HOST = "a host name or an address (IPv6 without brackets)";
const PORT = "a whole number from 0 to 65535";
const INTERVAL = `a number of seconds above 0, at most ${INTERVAL_SECONDS_MAX}`;

const Network = z.strictObject({
  host: z
    .string(must(HOST))
    .regex(/^[A-Za-z0-9._:-]{1,253}$/, must(HOST))
    .default("127.0.0.1"),
  port: z.int(must(PORT)).min(0, must(PORT)).max(65_535, must(PORT)).default(11_434),
  enableInstrumentation: z.boolean(must("true or false")).default(true),
  exporterType: z
    .enum(
      ["none", "clickhouse", "postgres", "both"],
      must('"none", "clickhouse", "postgres" or "both"'),
    )
    .default("none"),
  metricsExportInterval: z
    .number(must(INTERVAL))
    .positive(must(INTERVAL))
    .max(INTERVAL_SECONDS_MAX, must(INTERVAL))
    .default(5),
  edgeUrl: NonEmpty.optional(),
  box: NonEmpty.optional(),
  boxSecret: NonEmpty.optional(),
  ollamaUrl: NonEmpty.optional(),
  stateDir: NonEmpty.optional(),
});

/** Environment variables that are the defaults of options. */
const OPTION_OF: Record<string, string> = {
  EDGE_URL: "edgeUrl",
  BOX_NAME: "box",
  BOX_SECRET: "boxSecret",
  OLLAMA_HOST: "ollamaUrl",
  STATE_DIR: "stateDir",
};
const nameOf = (variable: string) =>
  variable in OPTION_OF ? `${OPTION_OF[variable]} (or ${variable})` : variable;

/**
 * The checked settings of an {@link OllamaService}. Options that are left out come from the
 * environment of the process, as for the `ollama-edge-agent` command.
 *
 * @example new NetworkConfig({ port: 11500, edgeUrl: "https://ollama-edge-serve.you.workers.dev" })
 */
export class NetworkConfig {
  readonly host: string;
  readonly port: number;
  readonly enableInstrumentation: boolean;
  readonly exporterType: ExporterTypeOption;
  /** In seconds. */
  readonly metricsExportInterval: number;
  /** @internal Null if instrumentation is off. */
  readonly agent: AgentConfig | null;
  /** @internal */
  readonly served: ServedConfig;

  /** @throws {ConfigError} with one line for each missing or invalid option */
  constructor(options: NetworkConfigOptions = {}) {
    const result = Network.safeParse(options);
    if (!result.success) throw new ConfigError(result.error.issues.map(messageOf).join("\n"));
    const { host, port, enableInstrumentation, exporterType, metricsExportInterval, ...rest } =
      result.data;
    const { env } = process;
    const environment = {
      ...env,
      EDGE_URL: rest.edgeUrl ?? env.EDGE_URL,
      BOX_NAME: rest.box ?? env.BOX_NAME,
      BOX_SECRET: rest.boxSecret ?? env.BOX_SECRET,
      OLLAMA_HOST: rest.ollamaUrl ?? env.OLLAMA_HOST,
      STATE_DIR: rest.stateDir ?? env.STATE_DIR,
    };
    if (enableInstrumentation && !environment.EDGE_URL)
      throw new ConfigError(
        "edgeUrl (or EDGE_URL) is not set. Set it to the URL of your Worker, or set enableInstrumentation to false.",
      );
    this.host = host;
    this.port = port;
    this.enableInstrumentation = enableInstrumentation;
    this.exporterType = exporterType;
    this.metricsExportInterval = metricsExportInterval;
    this.agent = enableInstrumentation ? configOf(environment, nameOf) : null;
    this.served = this.agent ?? servedConfigOf(environment, nameOf);
  }
}

const messageOf = (issue: z.core.$ZodIssue): string =>
  issue.code === "unrecognized_keys"
    ? `Unknown option: ${issue.keys.join(", ")}.`
    : `${issue.path.join(".")} ${issue.message}`;

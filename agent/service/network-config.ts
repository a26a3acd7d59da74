/** What a program says when it runs {@link OllamaService}: parsed once, wrong values refused with the name of the option. */
import { z } from "zod";
import { type AgentConfig, boxConfigOf, configOf } from "../config.ts";
import { ConfigError } from "../errors.ts";

/** Where finished requests go besides the ledger of the edge. */
export type ExporterTypeOption = "none" | "clickhouse" | "postgres" | "both";

export type NetworkConfigOptions = {
  /** Where callers are answered: a name or an address. Default: `127.0.0.1`, this machine only. */
  host?: string | undefined;
  /** Default: 11434, Ollama's own; 0: any free one. Not that of `ollamaUrl`. */
  port?: number | undefined;
  /** `false`: calls are passed on and nothing else; no tunnel, no records, no edge needed. Default: `true`. */
  enableInstrumentation?: boolean | undefined;
  /** What the edge exports to, as this program takes it. The edge exports, not this program: where it says another, one warning is logged. Default: `none`. */
  exporterType?: ExporterTypeOption | undefined;
  /** How long finished requests may wait for company before they leave for the edge, seconds. Default: 5. */
  metricsExportInterval?: number | undefined;
  /** The Worker. Default: `EDGE_URL`. */
  edgeUrl?: string | undefined;
  /** Name of this box. Default: `BOX_NAME`, else the host name. */
  box?: string | undefined;
  /** This box's secret. Default: `BOX_SECRET`. */
  boxSecret?: string | undefined;
  /** The Ollama that does the work. Default: `OLLAMA_HOST`, else `http://127.0.0.1:11434`. */
  ollamaUrl?: string | undefined;
  /** Where finished requests wait on disk. Default: `STATE_DIR`, else `.state/agent`. */
  stateDir?: string | undefined;
};

/** A day: longer is a mistake in the unit. */
const INTERVAL_SECONDS_MAX = 86_400;

const given = z.string("is not a string").min(1, "is empty");

const Network = z.strictObject({
  host: z
    .string("is not a string")
    .regex(/^[A-Za-z0-9._:-]{1,253}$/, "is not a host name or an address (IPv6 without brackets)")
    .default("127.0.0.1"),
  port: z
    .int("is not a whole number")
    .min(0, "is below 0")
    .max(65_535, "is above 65535")
    .default(11_434),
  enableInstrumentation: z.boolean("is not true or false").default(true),
  exporterType: z
    .enum(["none", "clickhouse", "postgres", "both"], "is none of none, clickhouse, postgres, both")
    .default("none"),
  metricsExportInterval: z
    .number("is not a number of seconds")
    .positive("is not above 0 seconds")
    .max(INTERVAL_SECONDS_MAX, `is above ${INTERVAL_SECONDS_MAX} seconds`)
    .default(5),
  edgeUrl: given.optional(),
  box: given.optional(),
  boxSecret: given.optional(),
  ollamaUrl: given.optional(),
  stateDir: given.optional(),
});

/** Variables of the agent whose values are the defaults of options. */
const OPTION_OF: Record<string, string> = {
  EDGE_URL: "edgeUrl",
  BOX_NAME: "box",
  BOX_SECRET: "boxSecret",
  OLLAMA_HOST: "ollamaUrl",
  STATE_DIR: "stateDir",
};
const nameOf = (variable: string) =>
  variable in OPTION_OF ? `${OPTION_OF[variable]} (or ${variable})` : variable;

export class NetworkConfig {
  readonly host: string;
  readonly port: number;
  readonly enableInstrumentation: boolean;
  readonly exporterType: ExporterTypeOption;
  /** Seconds. */
  readonly metricsExportInterval: number;
  /** @internal Null without instrumentation. */
  readonly agent: AgentConfig | null;
  /** @internal */
  readonly served: Pick<AgentConfig, "box" | "ollamaUrl">;

  /** @throws {ConfigError} one line per option that makes no sense */
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
        "edgeUrl (or EDGE_URL) is not set: the URL of your Worker. Without one, set enableInstrumentation to false.",
      );
    this.host = host;
    this.port = port;
    this.enableInstrumentation = enableInstrumentation;
    this.exporterType = exporterType;
    this.metricsExportInterval = metricsExportInterval;
    this.agent = enableInstrumentation ? configOf(environment, nameOf) : null;
    this.served = this.agent ?? boxConfigOf(environment, nameOf);
  }
}

const messageOf = (issue: z.core.$ZodIssue): string =>
  issue.code === "unrecognized_keys"
    ? `there is no option ${issue.keys.join(", ")}`
    : `${issue.path.join(".")} ${issue.message}`;

/** The settings of OpenTelemetry, under the names that its SDKs read. */
import * as z from "zod";
import { httpUrl } from "../store-definition.ts";

/** Where one signal goes. The headers may hold credentials. */
export type OtlpTarget = {
  url: string;
  headers: Readonly<Record<string, string>>;
  /** `service.name` of everything that is sent. */
  service: string;
};

/** Null for a signal that is not sent. */
export type OtlpSettings = { traces: OtlpTarget | null; metrics: OtlpTarget | null };

const endpoint = httpUrl
  .refine(
    (text) => !URL.canParse(text) || new URL(text).username + new URL(text).password === "",
    "must not contain a user or a password: use OTEL_EXPORTER_OTLP_HEADERS",
  )
  .refine(
    (text) => !URL.canParse(text) || new URL(text).hash === "",
    "must not contain a fragment (#…)",
  )
  .optional();

const headers = z.string().transform(headersOf).optional();

export const OTLP_VARIABLES = {
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint.describe(
    "the address of an [OpenTelemetry collector](opentelemetry.md), such as `http://collector:4318`. The edge " +
      "appends `/v1/traces` and `/v1/metrics`, and sends JSON",
  ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint.describe(
    "the whole address for traces, if it is another one. Alone it sends traces only",
  ),
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: endpoint.describe(
    "the whole address for metrics, if it is another one. Alone it sends metrics only",
  ),
  OTEL_EXPORTER_OTLP_HEADERS: headers.describe(
    "headers of each request to a collector, percent-encoded: `authorization=Bearer%20…,x-scope-orgid=1`",
  ),
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: headers.describe(
    "the headers of traces instead of those, for an address with credentials of its own",
  ),
  OTEL_EXPORTER_OTLP_METRICS_HEADERS: headers.describe(
    "the headers of metrics instead of those, for an address with credentials of its own",
  ),
  OTEL_SERVICE_NAME: z
    .string()
    .max(255, "must have at most 255 characters")
    .default("ollama-edge-serve")
    .describe(
      "the `service.name` of traces and metrics. Give each of several edges one of its own",
    ),
};
const Variables = z.object(OTLP_VARIABLES);
type Variables = z.infer<typeof Variables>;

export const otlpSettings = (set: Variables): OtlpSettings => {
  const shared = set.OTEL_EXPORTER_OTLP_HEADERS;
  const targetOf = (path: string, own: string | undefined, headers = shared) => {
    const base = set.OTEL_EXPORTER_OTLP_ENDPOINT;
    const url = own ?? (base === undefined ? null : appended(base, path));
    return url === null ? null : { url, headers: headers ?? {}, service: set.OTEL_SERVICE_NAME };
  };
  return {
    traces: targetOf(
      "v1/traces",
      set.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
      set.OTEL_EXPORTER_OTLP_TRACES_HEADERS,
    ),
    metrics: targetOf(
      "v1/metrics",
      set.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT,
      set.OTEL_EXPORTER_OTLP_METRICS_HEADERS,
    ),
  };
};

/** Appends to the path of an address, whose query stays. */
function appended(base: string, path: string): string {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/${path}`;
  return url.href;
}

/** A name or a value as HTTP allows it. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t\x20-\x7E]*$/;
/** The edge sets these itself. */
const RESERVED = new Set(["content-type", "content-length", "content-encoding", "host"]);

/** Parses `name=value,other=value`. The messages never repeat a value. */
function headersOf(text: string, context: z.RefinementCtx): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const entry of text.split(",").map((part) => part.trim())) {
    if (entry === "") continue;
    const at = entry.indexOf("=");
    const name = entry.slice(0, Math.max(0, at)).trim().toLowerCase();
    const value = decoded(entry.slice(at + 1).trim());
    if (!NAME.test(name) || value === null || !VALUE.test(value))
      context.addIssue("must be a list of name=value, separated by commas and percent-encoded");
    else if (RESERVED.has(name)) context.addIssue(`must not set the header ${name}`);
    else if (name in headers) context.addIssue(`must name the header ${name} only once`);
    else headers[name] = value;
  }
  return headers;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

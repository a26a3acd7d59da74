/**
 * The allowlist: every call that may reach an Ollama, and the scope it needs.
 *
 * Exact method and exact raw path. Ollama's router matches *decoded* paths and redirects
 * uncleaned ones, so a blocklist (or a match after decoding) would let `/api/%64elete` through.
 * A path that is not here never reaches a box: `/api/me`, `/api/signout`, `/api/user/keys`,
 * `/api/experimental/*`.
 *
 * @see https://github.com/ollama/ollama/blob/main/server/routes.go (GenerateRoutes)
 */
import type { Api, RequestRecord } from "./records.ts";

/**
 * The rights of a key. `infer` is for calls to Ollama, `metrics` for /api/metrics, `stats` for the
 * other routes of /api that read, `text` for the texts in the logs, `models` for changes of models,
 * `admin` for all changes. `read` stands for the three that read, and no route demands it.
 */
export type Scope = "infer" | "read" | "metrics" | "stats" | "text" | "models" | "admin";

/**
 * `inference` produces tokens or vectors; only these count into latency, TTFT and token figures.
 */
export type RouteKind = "inference" | "information" | "management";

export type OllamaRoute = {
  method: "GET" | "HEAD" | "POST" | "DELETE";
  /**
   * The path on Ollama. `:model` and `:digest` stand for one segment. Also the `endpoint` of
   * records.
   */
  path: string;
  api: Api;
  scope: "infer" | "models";
  kind: RouteKind;
  /** `form` is `multipart/form-data`. */
  body: "none" | "json" | "form" | "raw";
  /** When the answer streams: unless `stream:false`, only if `stream:true`, or never. */
  streams: "by_default" | "when_asked" | "never";
};

const route = (
  method: OllamaRoute["method"],
  path: string,
  rest: Partial<Omit<OllamaRoute, "method" | "path">> = {},
): OllamaRoute => ({
  method,
  path,
  api: "ollama",
  scope: "infer",
  kind: "information",
  body: method === "POST" || method === "DELETE" ? "json" : "none",
  streams: "never",
  ...rest,
});

export const OLLAMA_ROUTES: readonly OllamaRoute[] = [
  route("GET", "/"),
  route("HEAD", "/"),
  route("GET", "/api/version"),
  route("HEAD", "/api/version"),
  route("GET", "/api/status"),
  route("GET", "/api/tags"),
  route("HEAD", "/api/tags"),
  route("GET", "/api/ps"),
  route("POST", "/api/show"),
  route("POST", "/api/generate", { kind: "inference", streams: "by_default" }),
  route("POST", "/api/chat", { kind: "inference", streams: "by_default" }),
  route("POST", "/api/embed", { kind: "inference" }),
  route("POST", "/api/embeddings", { kind: "inference" }),
  route("POST", "/api/pull", { kind: "management", scope: "models", streams: "by_default" }),
  route("POST", "/api/push", { kind: "management", scope: "models", streams: "by_default" }),
  route("POST", "/api/create", { kind: "management", scope: "models", streams: "by_default" }),
  route("POST", "/api/copy", { kind: "management", scope: "models" }),
  route("DELETE", "/api/delete", { kind: "management", scope: "models" }),
  route("HEAD", "/api/blobs/:digest", { kind: "management", scope: "models" }),
  route("POST", "/api/blobs/:digest", { kind: "management", scope: "models", body: "raw" }),
  route("POST", "/v1/chat/completions", {
    api: "openai",
    kind: "inference",
    streams: "when_asked",
  }),
  route("POST", "/v1/completions", { api: "openai", kind: "inference", streams: "when_asked" }),
  route("POST", "/v1/embeddings", { api: "openai", kind: "inference" }),
  route("POST", "/v1/responses", { api: "openai", kind: "inference", streams: "when_asked" }),
  route("POST", "/v1/images/generations", { api: "openai", kind: "inference" }),
  route("POST", "/v1/images/edits", { api: "openai", kind: "inference" }),
  route("POST", "/v1/audio/transcriptions", { api: "openai", kind: "inference", body: "form" }),
  route("GET", "/v1/models", { api: "openai" }),
  route("GET", "/v1/models/:model", { api: "openai" }),
  route("POST", "/v1/messages", { api: "anthropic", kind: "inference", streams: "when_asked" }),
];

/**
 * One path segment for `:model`. The only escape is `%3A`, which SDKs write for the colon of a tag.
 */
const MODEL_SEGMENT = /^(?:[A-Za-z0-9._-]|:|%3[Aa]){1,512}$/;
const DIGEST_SEGMENT = /^sha256:[0-9a-f]{64}$/;

export type RouteMatch =
  /** `model` is the decoded `:model`; null if the path has none. */
  | { ok: true; route: OllamaRoute; model: string | null }
  | { ok: false; status: 404 | 405; allow: string[] };

/** Matches a raw path: that of the request line, without the query. */
export function matchOllamaRoute(method: string, rawPath: string): RouteMatch {
  const allow: string[] = [];
  for (const route of OLLAMA_ROUTES) {
    const model = matchPath(route.path, rawPath);
    if (model === false) continue;
    if (route.method === method) return { ok: true, route, model };
    allow.push(route.method);
  }
  return { ok: false, status: allow.length > 0 ? 405 : 404, allow };
}

/** Returns the decoded parameter, null if the pattern has none, or false if it does not match. */
function matchPath(pattern: string, rawPath: string): string | null | false {
  const colon = pattern.indexOf("/:");
  if (colon < 0) return pattern === rawPath ? null : false;
  if (!rawPath.startsWith(pattern.slice(0, colon + 1))) return false;
  const segment = rawPath.slice(colon + 1);
  if (pattern.endsWith(":digest")) return DIGEST_SEGMENT.test(segment) ? null : false;
  return MODEL_SEGMENT.test(segment) ? decodeURIComponent(segment) : false;
}

const INFERENCE = new Set(
  OLLAMA_ROUTES.filter((route) => route.kind === "inference").map((route) => route.path),
);

/** Returns whether records of this endpoint count into latency, TTFT and token figures. */
export const isInference = (endpoint: string): boolean => INFERENCE.has(endpoint);

const EMBEDDINGS: ReadonlySet<string> = new Set([
  "/api/embed",
  "/api/embeddings",
  "/v1/embeddings",
]);

/** Returns whether answers of this endpoint are vectors, which are not generated token by token. */
export const makesVectors = (endpoint: string): boolean => EMBEDDINGS.has(endpoint);

/**
 * Returns whether a record counts into tokens, latency, TTFT and energy of what callers did. The
 * requests of a bench do not: they would move every average of a box that few people use. Requests of
 * the edge itself do not either.
 */
export const countsAsInference = ({
  endpoint,
  source,
}: Pick<RequestRecord, "endpoint" | "source">): boolean =>
  isInference(endpoint) && source !== "bench" && source !== "system";

/**
 * Returns whether a call of this endpoint may be made again on another box: it changes nothing, and
 * any answer will do.
 */
export const isRepeatable = (endpoint: string): boolean =>
  OLLAMA_ROUTES.some(({ path, kind }) => path === endpoint && kind !== "management");

const CHANGING = new Set(["/api/pull", "/api/create", "/api/copy", "/api/delete"]);

/** Returns whether a call of this endpoint changes which models a box has. */
export const changesModels = (endpoint: string): boolean => CHANGING.has(endpoint);

/**
 * Request headers that travel from a caller to Ollama. All others stay at the edge: Ollama copies
 * headers to ollama.com, refuses a foreign `Origin`, and needs no caller's credentials.
 */
export const FORWARDED_HEADERS: ReadonlySet<string> = new Set([
  "accept",
  "content-type",
  "user-agent",
  "anthropic-version",
  "anthropic-beta",
]);

/** Answer headers that belong to one connection (RFC 9110, 7.6.1), or that the edge sets itself. */
export const HOP_BY_HOP_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

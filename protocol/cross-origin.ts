/**
 * Web pages of other origins: the local ones, and the headers that let an admitted page call and read,
 * at every door to an Ollama. Never with credentials: a page sends a key, or nothing. Pure.
 *
 * @see https://github.com/ollama/ollama/blob/main/envconfig/config.go (AllowedOrigins)
 */

/** Ollama's default origins: pages of this machine, and programs that are built from web pages. */
const LOCAL_ORIGIN =
  /^(https?:\/\/(localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(:\d+)?|(app|file|tauri|vscode-[a-z-]+):\/\/.*)$/;

const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE";
/** The headers of the SDKs of Ollama, OpenAI and Anthropic in a browser, and those of the edge. */
const SENDABLE =
  /^(accept|authorization|content-type|idempotency-key|user-agent|(x|openai|anthropic)-[a-z0-9-]+)$/;
const READABLE =
  "x-request-id, x-failed-at, x-box, x-route-reason, x-prompt-truncated, x-clamped, retry-after, " +
  "x-queue-position, x-queue-eta-ms, x-queue-waited-ms, " +
  "x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset";
/** How long a browser may cache the answer to a preflight, in seconds. */
const PREFLIGHT_SECONDS = "600";

/** Returns whether a text is an origin as browsers send it, in lower case. */
export const isOrigin = (text: string): boolean => /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s*]+$/.test(text);

/** Returns whether an origin is one of Ollama's defaults. The opaque origin "null" is not. */
export const isLocalOrigin = (origin: string): boolean => LOCAL_ORIGIN.test(origin);

/** Returns the headers that let an admitted page read its answer. */
export const readableBy = (origin: string): Record<string, string> => ({
  "access-control-allow-origin": origin,
  "access-control-expose-headers": READABLE,
  vary: "origin",
});

/**
 * Returns the headers that answer the preflight of an admitted page.
 * @param wanted  `Access-Control-Request-Headers`
 */
export function callableBy(origin: string, wanted: string): Record<string, string> {
  const names = wanted.split(",").map((name) => name.trim().toLowerCase());
  return {
    ...readableBy(origin),
    "access-control-allow-methods": METHODS,
    "access-control-allow-headers": names.filter((name) => SENDABLE.test(name)).join(", "),
    "access-control-max-age": PREFLIGHT_SECONDS,
  };
}

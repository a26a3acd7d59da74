/**
 * Whom the listener answers: programs, and pages of this machine; not pages of strangers. Pure.
 *
 * A browser lets any page send requests to loopback. Ollama refuses those by their `Origin`, and by
 * a `Host` that is no local name (a page whose DNS name was rebound to 127.0.0.1 has no foreign
 * origin); the agent tells Ollama neither, so the listener has to refuse what Ollama would.
 *
 * @see https://github.com/ollama/ollama/blob/main/server/routes.go (allowedHostsMiddleware)
 * @see https://github.com/ollama/ollama/blob/main/envconfig/config.go (AllowedOrigins)
 */
import { isIP } from "node:net";

const LOCAL_ORIGIN =
  /^(https?:\/\/(localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(:\d+)?|(app|file|tauri|vscode-[a-z-]+):\/\/.*)$/;
const LOCAL_NAME = /(^|\.)(localhost|local|internal)$/;

/** Whether a page of this origin may call. A page without one ("null") may not. */
export const isOwnOrigin = (origin: string): boolean => LOCAL_ORIGIN.test(origin);

/**
 * Whether `Host` names this machine. An address always does: only names can be rebound.
 * @param host      as it was sent; undefined from a program that speaks HTTP/1.0
 * @param ownName   the host name of this machine
 */
export function isOwnHost(host: string | undefined, ownName: string): boolean {
  if (host === undefined || host === "") return true;
  const name = /^(\[[^\]]*\]|[^:]*)(:\d*)?$/.exec(host)?.[1]?.toLowerCase();
  if (name === undefined) return false;
  return (
    isIP(name.replace(/^\[|\]$/g, "")) !== 0 ||
    LOCAL_NAME.test(name) ||
    name === ownName.toLowerCase()
  );
}

const METHODS = "GET, HEAD, POST, DELETE";
/** How long a browser may remember the answer to a preflight, s. */
const PREFLIGHT_SECONDS = "600";

/** Lets an admitted page read its answer. */
export const pageHeaders = (origin: string | undefined): Record<string, string> =>
  origin === undefined
    ? {}
    : {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": "x-request-id, x-failed-at",
        vary: "origin",
      };

/** The answer to a preflight of an admitted page: whatever headers it wants to send, Ollama gets only those that it needs. */
export const preflightHeaders = (
  origin: string,
  wanted: string | undefined,
): Record<string, string> => ({
  ...pageHeaders(origin),
  "access-control-allow-methods": METHODS,
  "access-control-max-age": PREFLIGHT_SECONDS,
  ...(wanted === undefined ? {} : { "access-control-allow-headers": wanted }),
});

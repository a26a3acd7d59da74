/**
 * Admission: the listener answers programs and web pages of this machine, but no other web page. Pure.
 *
 * A browser lets any page send requests to loopback. Ollama refuses them by their `Origin`, and by a
 * `Host` that is not a local name (a page whose DNS name was rebound to 127.0.0.1 has no foreign
 * origin). The agent forwards neither header, so the listener must refuse what Ollama would.
 *
 * @see https://github.com/ollama/ollama/blob/main/server/routes.go (allowedHostsMiddleware)
 */
import { isIP } from "node:net";

const LOCAL_NAME = /(^|\.)(localhost|local|internal)$/;

/**
 * Returns whether `Host` names this machine. An address always passes: only names can be rebound.
 * @param host      as sent; undefined from a program that uses HTTP/1.0
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
/** How long a browser may cache the answer to a preflight, in seconds. */
const PREFLIGHT_SECONDS = "600";

/** Returns the headers that let an admitted page read its answer. */
export const pageHeaders = (origin: string | undefined): Record<string, string> =>
  origin === undefined
    ? {}
    : {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": "x-request-id, x-failed-at",
        vary: "origin",
      };

/**
 * Answers the preflight of an admitted page. It may send any header: only those Ollama needs are
 * forwarded.
 */
export const preflightHeaders = (
  origin: string,
  wanted: string | undefined,
): Record<string, string> => ({
  ...pageHeaders(origin),
  "access-control-allow-methods": METHODS,
  "access-control-max-age": PREFLIGHT_SECONDS,
  ...(wanted === undefined ? {} : { "access-control-allow-headers": wanted }),
});

/** The path of a request, as the routes see it. */
import { isOllamaPath } from "../protocol/target.ts";

/**
 * Returns the raw path, without doubled and trailing slashes if it leads to an Ollama: Ollama accepts
 * them with a redirect. The path is still matched exactly, and Ollama receives the one that matched.
 */
export function routePathOf(request: Request): string {
  const raw = rawPathOf(request);
  const clean = raw.replace(/\/{2,}/g, "/").replace(/(.)\/$/, "$1");
  return clean !== raw && isOllamaPath(clean) ? clean : raw;
}

/**
 * Returns the path of the request line. `new URL().pathname` would resolve `%2e` and dot segments,
 * but the allowlist must see the path as it was sent.
 */
function rawPathOf(request: Request): string {
  const start = request.url.indexOf("/", request.url.indexOf("://") + 3);
  const end = request.url.slice(start).search(/[?#]/);
  return start < 0
    ? "/"
    : end < 0
      ? request.url.slice(start)
      : request.url.slice(start, start + end);
}

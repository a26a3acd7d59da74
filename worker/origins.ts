/**
 * The web pages that may call the edge. Pure.
 *
 * A page of the edge itself always may. Pages of `CORS_ORIGINS` may, and on loopback the origins that
 * Ollama allows, but those only on Ollama's paths: `/api` can delete what the edge has stored.
 */
import { isLocalOrigin } from "../protocol/cross-origin.ts";
import { isOllamaPath } from "../protocol/target.ts";
import { routePathOf } from "./raw-path.ts";

/** Admits every origin, to Ollama's paths. */
const ANY = "*";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** A name that was rebound to 127.0.0.1 is not loopback. */
export const isOnLoopback = (url: string): boolean => LOOPBACK.has(new URL(url).hostname);

export const isOwnOrigin = (request: Request, origin: string): boolean =>
  URL.canParse(origin) && new URL(origin).host === new URL(request.url).host;

/** Returns whether a page of another origin may call this address and read the answer. */
export function mayCall(
  request: Request,
  origin: string,
  configured: ReadonlySet<string>,
): boolean {
  if (configured.has(origin.toLowerCase())) return true;
  if (!isOllamaPath(routePathOf(request))) return false;
  return configured.has(ANY) || (isOnLoopback(request.url) && isLocalOrigin(origin));
}

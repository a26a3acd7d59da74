/** Resolves a request line to a route of the allowlist, at every door to an Ollama. Pure. */
import type { Failure } from "./failures.ts";
import { isCloudModel } from "./model-name.ts";
import type { Api } from "./records.ts";
import { matchOllamaRoute, type OllamaRoute } from "./routes.ts";

/** `model` is decoded; null if the path names none. */
export type Target = { route: OllamaRoute; path: string; model: string | null };

type Unroutable = Extract<Failure, { reason: "no_route" | "wrong_method" | "cloud_model" }>;

/** How much of a path an error repeats. */
const SHOWN_CHARS_MAX = 200;

/** Returns the target of a raw path: that of the request line, without the query. */
export function aim(
  method: string,
  path: string,
): { ok: true; target: Target } | { ok: false; failure: Unroutable } {
  const match = matchOllamaRoute(method, path);
  if (!match.ok) {
    const shown = path.slice(0, SHOWN_CHARS_MAX);
    return {
      ok: false,
      failure:
        match.status === 404
          ? { reason: "no_route", method, path: shown }
          : { reason: "wrong_method", method, path: shown, allow: match.allow },
    };
  }
  if (match.model !== null && isCloudModel(match.model))
    return { ok: false, failure: { reason: "cloud_model", model: match.model } };
  return { ok: true, target: { route: match.route, path, model: match.model } };
}

/** Returns whether a raw path of the edge leads to an Ollama: under a prefix, or at the root. */
export function isOllamaPath(path: string): boolean {
  if (/^\/(ollama|v1)(\/|$)/.test(path)) return true;
  const match = matchOllamaRoute("", path);
  return path !== "/" && !match.ok && match.status === 405;
}

/**
 * Returns the API that a path on Ollama belongs to, known or not. It decides the shape of errors.
 */
export function apiOf(path: string): Api {
  if (path === "/v1/messages") return "anthropic";
  return /^\/v1(\/|$)/.test(path) ? "openai" : "ollama";
}

/**
 * The client for `/api`, typed by the route table.
 *
 * Responses are not validated here. The page is served by the same Worker, in the same version, and
 * zod would be most of the page's bytes. The browser adds the session's cookie, which script cannot read.
 */
import type * as z from "zod";
import type { API_ROUTES } from "../../protocol/api/routes.ts";
import type { ApiError } from "../../protocol/api/shapes.ts";

type Route = (typeof API_ROUTES)[keyof typeof API_ROUTES];
export type Method = Route["method"];
export type PathOf<M extends Method> = Extract<Route, { method: M }>["path"];
type RouteAt<M extends Method, P extends string> = Extract<Route, { method: M; path: P }>;
export type ResponseOf<M extends Method, P extends string> =
  RouteAt<M, P> extends { answer: infer A extends z.ZodType } ? z.output<A> : never;

export type Query = Record<string, string | number | undefined>;
export type CallOptions = {
  params?: Record<string, string>;
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};

/** The edge responded with an error. */
export class ApiFailure extends Error {
  override readonly name = "ApiFailure";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** True if the request needs a key, or a different one. */
  get isLocked(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** No response arrived from the edge. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

export const read = <P extends PathOf<"GET">>(
  path: P,
  options: CallOptions = {},
): Promise<ResponseOf<"GET", P>> => callJson("GET", path, options);

export async function callJson<M extends Method, P extends PathOf<M>>(
  method: M,
  path: P,
  options: CallOptions = {},
): Promise<ResponseOf<M, P>> {
  const response = await call(method, path, {
    ...options,
    headers: { accept: "application/json", ...options.headers },
  });
  return (await response.json()) as ResponseOf<M, P>;
}

/**
 * Sends a request to any path of the edge, including paths outside the route table.
 * @throws {ApiFailure} if the status is not 2xx
 * @throws {Unreachable} if no response arrives
 */
export async function call(
  method: string,
  path: string,
  { params = {}, query = {}, body, headers = {}, signal }: CallOptions = {},
): Promise<Response> {
  const init: RequestInit = {
    method,
    headers,
    cache: "no-store",
    ...(signal && { signal }),
  };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { ...headers, "content-type": "application/json" };
  }
  let response: Response;
  try {
    response = await fetch(apiUrl(path, params, query), init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable("The edge is not responding.");
  }
  if (!response.ok) throw await failureOf(response);
  return response;
}

export function apiUrl(path: string, params: Record<string, string>, query: Query): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(params[name] ?? ""),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== "") search.set(name, String(value));
  return search.size === 0 ? filled : `${filled}?${search}`;
}

async function failureOf(response: Response): Promise<ApiFailure> {
  const text = await response.text();
  try {
    const body = JSON.parse(text) as ApiError | { error: string };
    if (typeof body.error === "string")
      return new ApiFailure(response.status, "ollama_error", body.error);
    return new ApiFailure(response.status, body.error.code, body.error.message);
  } catch {
    return new ApiFailure(
      response.status,
      "unknown",
      text.slice(0, 300) || `The edge responded with HTTP ${response.status}.`,
    );
  }
}

/** Returns a message that can be shown on the page. */
export const errorMessage = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

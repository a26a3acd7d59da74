/**
 * `/api`, typed by the table of its routes.
 *
 * The shape of answers is not checked here: the page comes from the Worker that answers, in one
 * version, and zod would be most of its bytes. A key travels in a header, never in a URL.
 */
import type { z } from "zod";
import type { API_ROUTES } from "../../protocol/api/routes.ts";
import type { ApiError } from "../../protocol/api/shapes.ts";
import { key } from "./key.ts";

type Route = (typeof API_ROUTES)[keyof typeof API_ROUTES];
export type Method = Route["method"];
export type PathOf<M extends Method> = Extract<Route, { method: M }>["path"];
type RouteAt<M extends Method, P extends string> = Extract<Route, { method: M; path: P }>;
export type Answer<M extends Method, P extends string> =
  RouteAt<M, P> extends { answer: infer A extends z.ZodType } ? z.output<A> : never;

export type Query = Record<string, string | number | undefined>;
export type Asked = {
  params?: Record<string, string>;
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};

/** The edge answered, and not with what was asked for. */
export class ApiFailure extends Error {
  override readonly name = "ApiFailure";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** A key is needed, or another one. */
  get isLocked(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** The edge did not answer at all. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

export const read = <P extends PathOf<"GET">>(
  path: P,
  asked: Asked = {},
): Promise<Answer<"GET", P>> => ask("GET", path, asked);

export async function ask<M extends Method, P extends PathOf<M>>(
  method: M,
  path: P,
  asked: Asked = {},
): Promise<Answer<M, P>> {
  const answer = await call(method, path, {
    ...asked,
    headers: { accept: "application/json", ...asked.headers },
  });
  return (await answer.json()) as Answer<M, P>;
}

/**
 * Any path of the edge, also those that are not in the table.
 * @throws {ApiFailure} unless it answers 2xx
 * @throws {Unreachable}
 */
export async function call(
  method: string,
  path: string,
  { params = {}, query = {}, body, headers = {}, signal }: Asked = {},
): Promise<Response> {
  const init: RequestInit = {
    method,
    headers: { ...headers, ...authorization() },
    cache: "no-store",
    ...(signal && { signal }),
  };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { ...init.headers, "content-type": "application/json" };
  }
  let answer: Response;
  try {
    answer = await fetch(urlOf(path, params, query), init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable("The edge does not answer.");
  }
  if (!answer.ok) throw await failureOf(answer);
  return answer;
}

const authorization = (): Record<string, string> =>
  key.value === null ? {} : { authorization: `Bearer ${key.value}` };

function urlOf(path: string, params: Record<string, string>, query: Query): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(params[name] ?? ""),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== "") search.set(name, String(value));
  return search.size === 0 ? filled : `${filled}?${search}`;
}

async function failureOf(answer: Response): Promise<ApiFailure> {
  const text = await answer.text();
  try {
    const said = JSON.parse(text) as ApiError | { error: string };
    if (typeof said.error === "string")
      return new ApiFailure(answer.status, "ollama_error", said.error);
    return new ApiFailure(answer.status, said.error.code, said.error.message);
  } catch {
    return new ApiFailure(
      answer.status,
      "unknown",
      text.slice(0, 300) || `The edge answered HTTP ${answer.status}.`,
    );
  }
}

/** What went wrong, in words for people. */
export const wordsOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

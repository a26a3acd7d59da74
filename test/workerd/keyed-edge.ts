/** An edge with a key for each scope, and calls with them. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type { MadeKey } from "../../protocol/api/keys.ts";
import type { Bindings } from "../../worker/env.ts";
import worker from "../../worker/index.ts";

export const ADMIN = "admin-key-0123456789";
export const CALLER = "caller-key-0123456789";
export const READ = "read-key-0123456789";
export const STATS = "stats-key-0123456789";
export const METRICS = "metrics-key-0123456789";
export const UNKNOWN = "an-unknown-key-012345";
export const BOX = "box-secret-0123456789";
export const keys = (more: Partial<Bindings> = {}): Bindings => ({
  ...env,
  AUTH_MODE: "keys",
  ADMIN_KEY: ADMIN,
  CALLER_KEY: CALLER,
  READ_KEY: READ,
  STATS_KEY: STATS,
  METRICS_KEY: METRICS,
  BOX_SECRETS: `home=${BOX},office=${BOX}-2`,
  ...more,
});

export async function call(
  path: string,
  init: RequestInit = {},
  bindings = keys(),
): Promise<Response> {
  const ctx = createExecutionContext();
  const answer = await worker.fetch(
    new Request(`https://edge.example${path}`, init),
    bindings,
    ctx,
  );
  const copy = new Response(await answer.text(), answer);
  await waitOnExecutionContext(ctx);
  return copy;
}
export const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

export const admin = (path: string, method = "GET", body?: object, bindings = keys()) =>
  call(
    path,
    { method, headers: bearer(ADMIN), ...(body && { body: JSON.stringify(body) }) },
    bindings,
  );

/** Makes a key, which may call models unless its policy states something else. */
export async function makeKey(policy: object = {}): Promise<MadeKey> {
  const answer = await admin("/api/keys", "POST", { name: "Ada", scopes: ["infer"], ...policy });
  expect(answer.status, await answer.clone().text()).toBe(200);
  return answer.json<MadeKey>();
}

/** Calls without waiting for the end of the answer, which may be a WebSocket. */
export function fetchOn(
  path: string,
  init: RequestInit = {},
  bindings = keys(),
  host = "edge.example",
): Promise<Response> {
  const request = new Request(`https://${host}${path}`, init);
  return Promise.resolve(worker.fetch(request, bindings, createExecutionContext()));
}

/**
 * A caller's HTTP request as a {@link Call}: route, scope, body and headers checked. Everything that
 * can be refused without a box is refused here.
 */

import { checkBody, jsonOf } from "../../protocol/body-policy.ts";
import { BODY_BYTES_MAX, BOX_NAME, HEAD_BYTES_MAX } from "../../protocol/limits.ts";
import type { Headers as HeaderPairs, Open } from "../../protocol/messages.ts";
import { FORWARDED_HEADERS, type OllamaRoute } from "../../protocol/routes.ts";
import { aim, type Target } from "../../protocol/target.ts";
import { demand, type Principal } from "../auth.ts";
import { GatewayError } from "../errors.ts";
import type { Call, CallBody } from "./serve.ts";
import { concat } from "./stream/bytes.ts";

/**
 * The target of a raw path.
 * @throws {GatewayError} `no_route`, `wrong_method`, `cloud_model`
 */
export function targetOf(method: string, path: string): Target {
  const aimed = aim(method, path);
  if (!aimed.ok) throw new GatewayError(aimed.failure);
  return aimed.target;
}

/**
 * Everything about the call but its body.
 * @throws {GatewayError} `head_too_large`, `bad_request`
 */
export function callOf(
  request: Request,
  { route, path, model }: Target,
  id: string,
  principal: Principal,
): Call {
  const startedMs = Date.now();
  const wantedBox = request.headers.get("x-box");
  if (wantedBox !== null && !BOX_NAME.test(wantedBox))
    throw new GatewayError({ reason: "bad_request", what: "The header X-Box is not a box name." });
  const open: Open = {
    method: route.method,
    path,
    headers: forwardedHeaders(request.headers, route),
    endpoint: route.path,
    api: route.api,
    model,
    stream: false,
    started_at: new Date(startedMs).toISOString(),
    edge_ms: null, // until it leaves
    keep_text: false, // until it is known what is in force
    key_id: principal.keyId,
    client_ip: request.headers.get("cf-connecting-ip")?.slice(0, 64) ?? null,
    user_agent: request.headers.get("user-agent")?.slice(0, 512) ?? null,
  };
  return { id, open, wantedBox, startedMs, signal: request.signal };
}

/**
 * The body as it goes to Ollama, checked where it is JSON.
 * @throws {GatewayError} `scope_missing`, `encoded_body`, `body_too_large`, `bad_request`, `cloud_model`
 */
export async function bodyOf(
  request: Request,
  route: OllamaRoute,
  principal: Principal,
): Promise<CallBody> {
  demand(principal, route.scope);
  if (route.body === "none") return { bytes: null, model: null, stream: false };
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity")
    throw new GatewayError({ reason: "encoded_body", encoding: encoding.slice(0, 50) });
  if (route.body === "raw") return { bytes: request.body, model: null, stream: false };
  const json = jsonOf(await textOf(request));
  const checked = json.ok ? checkBody(route, json.value) : json;
  if (!checked.ok) throw new GatewayError(checked.failure);
  return checked.body;
}

/**
 * The body as text, never more of it in memory than the limit.
 * @throws {GatewayError} `body_too_large`, `bad_request` when it is not UTF-8
 */
export async function textOf(request: Request): Promise<string> {
  const bytes = await bytesOf(request);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new GatewayError({ reason: "bad_request", what: "The request body is not UTF-8." });
  }
}

async function bytesOf(request: Request): Promise<ArrayBuffer | Uint8Array> {
  const length = request.headers.get("content-length");
  if (Number(length ?? 0) > BODY_BYTES_MAX) throw new GatewayError({ reason: "body_too_large" });
  // The runtime holds a body to the length it announced, so this read is bounded; it is also the quickest.
  if (length !== null || request.body === null) return request.arrayBuffer();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new GatewayError({ reason: "body_too_large" });
    chunks.push(chunk);
  }
  return concat(chunks);
}

function forwardedHeaders(headers: Headers, route: OllamaRoute): HeaderPairs {
  const pairs: HeaderPairs = [];
  let size = 0;
  for (const [name, value] of headers) {
    size += name.length + value.length;
    if (FORWARDED_HEADERS.has(name) || (name === "content-length" && route.body === "raw"))
      pairs.push([name, value]);
  }
  if (size > HEAD_BYTES_MAX || pairs.some(([, value]) => value.length > HEAD_BYTES_MAX / 4))
    throw new GatewayError({ reason: "head_too_large" });
  return pairs;
}

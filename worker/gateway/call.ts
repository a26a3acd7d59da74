/**
 * Turns a caller's HTTP request into a {@link Call}: route, scope, body and headers checked.
 * Everything that can be refused without a box is refused here.
 */

import { checkBody, checkScanned } from "../../protocol/body-policy.ts";
import { checkForm } from "../../protocol/form-policy.ts";
import type { JsonScan } from "../../protocol/json-scan.ts";
import {
  API_BODY_BYTES_MAX,
  BODY_BYTES_MAX,
  BOX_NAME,
  HEAD_BYTES_MAX,
} from "../../protocol/limits.ts";
import type { Open } from "../../protocol/messages.ts";
import {
  encodingFailure,
  forwardedHeaders,
  headFailure,
  jsonOfBytes,
  sizeFailure,
} from "../../protocol/request-checks.ts";
import type { OllamaRoute } from "../../protocol/routes.ts";
import { aim, type Target } from "../../protocol/target.ts";
import { demand, type Principal } from "../auth.ts";
import { type FailureReason, GatewayError } from "../errors.ts";
import { uploadFailure } from "./broken-upload.ts";
import type { Call, CallBody } from "./serve.ts";
import { concat } from "./stream/bytes.ts";

/**
 * Returns the target of a raw path.
 * @throws {GatewayError} `no_route`, `wrong_method`, `cloud_model`
 */
export function targetOf(method: string, path: string): Target {
  const aimed = aim(method, path);
  if (!aimed.ok) throw new GatewayError(aimed.failure);
  return aimed.target;
}

/**
 * Returns everything about the call except its body.
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
    throw new GatewayError({
      reason: "bad_request",
      detail: `The header X-Box is not a valid box name: ${JSON.stringify(wantedBox.slice(0, 100))}.`,
    });
  checkHeadSize(request.headers);
  const headers = forwardedHeaders(request.headers, route.body);
  throwIf(headFailure(headers));
  const open: Open = {
    method: route.method,
    path,
    headers,
    endpoint: route.path,
    api: route.api,
    model,
    stream: false,
    started_at: new Date(startedMs).toISOString(),
    edge_ms: null, // set when the call leaves the edge
    keep_text: false, // set once the settings in force are known
    key_id: principal.keyId,
    client_ip: request.headers.get("cf-connecting-ip")?.slice(0, 64) ?? null,
    user_agent: request.headers.get("user-agent")?.slice(0, 512) ?? null,
  };
  return { id, open, wantedBox, startedMs, signal: request.signal };
}

/**
 * Returns the body as it goes to Ollama; a JSON body is checked.
 * @throws {GatewayError} `scope_missing`, `encoded_body`, `body_too_large`, `bad_request`, `cloud_model`
 */
export async function bodyOf(
  request: Request,
  route: OllamaRoute,
  principal: Principal,
): Promise<CallBody> {
  demand(principal, route.scope);
  if (route.body === "none") return { bytes: null, model: null, stream: false };
  throwIf(encodingFailure(request.headers.get("content-encoding")));
  if (route.body === "raw") return { bytes: request.body, model: null, stream: false };
  const bytes = await bytesOf(request, BODY_BYTES_MAX);
  if (route.body === "json") return checkedJson(route, bytes);
  const checked = checkForm(request.headers.get("content-type"), bytes);
  if (!checked.ok) throw new GatewayError(checked.failure);
  return checked.body;
}

/**
 * @param scan  the scan of the bytes, if there was one
 * @throws {GatewayError} `bad_request`, `cloud_model`
 */
export function checkedJson(route: OllamaRoute, bytes: Uint8Array, scan?: JsonScan): CallBody {
  const checked = scan === undefined ? checkBody(route, bytes) : checkScanned(route, bytes, scan);
  if (!checked.ok) throw new GatewayError(checked.failure);
  return checked.body;
}

/**
 * Parses the body of a call to our own API as JSON.
 * @throws {GatewayError} `body_too_large`; `bad_request` if it is not JSON in UTF-8
 */
export const jsonBodyOf = async (request: Request): Promise<unknown> =>
  parsedJson(await bytesOf(request, API_BODY_BYTES_MAX));

/** @throws {GatewayError} as {@link jsonBodyOf} */
export function parsedJson(bytes: Uint8Array): unknown {
  throwIf(sizeFailure(bytes.length, API_BODY_BYTES_MAX));
  const json = jsonOfBytes(bytes);
  if (!json.ok) throw new GatewayError(json.failure);
  return json.value;
}

/**
 * Reads the body. Never holds more of it in memory than the limit.
 * @throws {GatewayError} `body_too_large`; `bad_request` if a chunk is malformed; `caller_left`
 */
export async function bytesOf(request: Request, bytesMax: number): Promise<Uint8Array> {
  const length = request.headers.get("content-length");
  throwIf(sizeFailure(length, bytesMax));
  try {
    // The runtime holds a body to its announced length, so this read is bounded; it is also the fastest.
    if (length !== null || request.body === null)
      return new Uint8Array(await request.arrayBuffer());
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of request.body) {
      bytes += chunk.length;
      throwIf(sizeFailure(bytes, bytesMax));
      chunks.push(chunk);
    }
    return concat(chunks);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw new GatewayError(uploadFailure(error), { cause: error });
  }
}

/** Limits the whole head, including the headers that are not forwarded. */
function checkHeadSize(headers: Headers): void {
  let size = 0;
  for (const [name, value] of headers) size += name.length + value.length;
  if (size > HEAD_BYTES_MAX) throw new GatewayError({ reason: "head_too_large" });
}

function throwIf(failure: FailureReason | null): void {
  if (failure !== null) throw new GatewayError(failure);
}

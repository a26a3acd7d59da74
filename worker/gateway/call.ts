/**
 * Turns a caller's HTTP request into a {@link Call}: route, scope, body and headers checked.
 * Everything that can be refused without a box is refused here.
 */

import { checkScanned } from "../../protocol/body-policy.ts";
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
import { isInference, type OllamaRoute } from "../../protocol/routes.ts";
import { callerTag, SESSION_HEADER } from "../../protocol/tags.ts";
import { aim, type Target } from "../../protocol/target.ts";
import { type FailureReason, GatewayError } from "../errors.ts";
import { demand, type Principal } from "../principal.ts";
import { type Opening, openingPlace, scanOpening } from "./choice/opening.ts";
import { bytesOf, type HeldBytes } from "./held-body.ts";
import { CallerKey } from "./known-keys.ts";
import type { Call, CallBody } from "./serve.ts";

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
 * @param pathBox  the box that the path names; null if it names none
 * @throws {GatewayError} `head_too_large`, `bad_request`
 */
export function callOf(
  request: Request,
  { route, path, model }: Target,
  id: string,
  principal: Principal,
  pathBox: string | null = null,
): Call {
  const startedMs = Date.now();
  const wantedBox = boxIn(request.headers, pathBox);
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
    ...priorityOf(principal),
    session_id: callerTag(request.headers.get(SESSION_HEADER)) ?? undefined,
  };
  const key =
    principal.key === null
      ? null
      : new CallerKey(principal.key, route.scope, isInference(route.path));
  return { id, open, wantedBox, startedMs, signal: request.signal, key };
}

/** A normal priority is left out, as older edges do. */
function priorityOf({ key }: Principal): Pick<Open, "priority"> {
  const { priority } = key?.issued.policy ?? {};
  return priority === undefined || priority === "normal" ? {} : { priority };
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
  return checkedWhile(await bytesOf(request, BODY_BYTES_MAX), (bytes) => {
    if (route.body === "json") return checkedJson(route, bytes);
    const checked = checkForm(request.headers.get("content-type"), bytes);
    if (!checked.ok) throw new GatewayError(checked.failure);
    return checked.body;
  });
}

/** Checks bytes that are held, and releases them if they are refused. */
export async function checkedWhile(
  { bytes, release }: HeldBytes,
  check: (bytes: Uint8Array) => CallBody | Promise<CallBody>,
): Promise<CallBody> {
  try {
    return { ...(await check(bytes)), release };
  } catch (error) {
    release();
    throw error;
  }
}

const OPENING = openingPlace();

/**
 * @param scanned  the scan of the bytes, if there was one
 * @throws {GatewayError} `bad_request`, `cloud_model`
 */
export function checkedJson(
  route: OllamaRoute,
  bytes: Uint8Array,
  scanned?: { scan: JsonScan; opening: Opening },
): CallBody {
  const { scan, opening } = scanned ?? scanOpening(bytes, OPENING);
  const checked = checkScanned(route, bytes, scan);
  if (!checked.ok) throw new GatewayError(checked.failure);
  return { ...checked.body, opening };
}

/**
 * Parses the body of a call to our own API as JSON.
 * @throws {GatewayError} `body_too_large`; `bad_request` if it is not JSON in UTF-8
 */
export async function jsonBodyOf(request: Request): Promise<unknown> {
  const { bytes, release } = await bytesOf(request, API_BODY_BYTES_MAX);
  try {
    return parsedJson(bytes);
  } finally {
    release();
  }
}

/** @throws {GatewayError} as {@link jsonBodyOf} */
export function parsedJson(bytes: Uint8Array): unknown {
  throwIf(sizeFailure(bytes.length, API_BODY_BYTES_MAX));
  const json = jsonOfBytes(bytes);
  if (!json.ok) throw new GatewayError(json.failure);
  return json.value;
}

/** @throws {GatewayError} `bad_request` for an invalid name, or two different ones */
function boxIn(headers: Headers, pathBox: string | null): string | null {
  const headerBox = headers.get("x-box");
  const [box, place] = pathBox === null ? [headerBox, "header X-Box"] : [pathBox, "path"];
  const shown = JSON.stringify(box?.slice(0, 100));
  if (box !== null && !BOX_NAME.test(box))
    throw new GatewayError({
      reason: "bad_request",
      detail: `The ${place} has an invalid box name: ${shown}.`,
    });
  if (pathBox !== null && headerBox !== null && headerBox !== pathBox)
    throw new GatewayError({
      reason: "bad_request",
      detail: `The path names box ${shown}, and the header X-Box another one. Name only one.`,
    });
  return box;
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

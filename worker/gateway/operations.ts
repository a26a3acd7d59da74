/**
 * Places the calls of a client that change models: on one box for a whole operation, on one with room
 * for a pull, and on every box that has it for a delete.
 */
import * as z from "zod";
import { jsonOfBytes } from "../../protocol/request-checks.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import type { Fleet } from "../aggregator/fleet.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { isListed } from "../answers/union.ts";
import { failureOfError, GatewayError } from "../errors.ts";
import { pullBox } from "../models/pull-box.ts";
import { changeOf, type ModelChange, untilListed } from "./changed-models.ts";
import { holds } from "./choose.ts";
import { fleetFor, type Invocation } from "./known-fleet.ts";
import { mayServe } from "./known-keys.ts";
import { type BoxOutcome, failureOf, failureOfBoxes } from "./management-call.ts";
import { homeOf, isOperation, type OperationBox, operationBox } from "./operation-box.ts";
import { type Call, type CallBody, serve } from "./serve.ts";

/** These calls are rare, and a wrong box costs an upload. */
const FLEET_KNOWN_MS = 1_000;

/**
 * The box of each client's latest operation, for as long as a pause in one may take: a box that comes
 * meanwhile does not divide it.
 */
const REMEMBERED_MS = 10 * 60_000;
const REMEMBERED_MAX = 1_000;
const remembered = new Map<string, { box: string; atMs: number }>();

/**
 * Serves a call that changes models, or that begins such a change.
 * @param bodyOf  reads and checks the body
 * @throws {GatewayError} as {@link serve}; `boxes_failed` if a model is not deleted everywhere
 */
export async function serveOperation(
  shell: Invocation,
  call: Call,
  bodyOf: () => Promise<CallBody>,
): Promise<Response> {
  const { endpoint } = call.open;
  let change: ModelChange | null = null;
  const reading = bodyOf().then((body) => {
    change = changeOf(endpoint, body);
    return body;
  });
  const deleted =
    endpoint === "/api/delete"
      ? await reading.then(
          (body) => deleteFromAll(shell, call, body),
          () => null, // recorded below, like any refusal
        )
      : null;
  const answer =
    deleted ??
    (await serve(shell, call, async () => {
      const body = await reading;
      return { ...body, place: await placeOf(shell, call, body) };
    }));
  return untilListed(shell, answer, change);
}

/** @returns the box for a call that changes models; null if the ordinary choice serves it */
async function placeOf(
  shell: Invocation,
  { open, startedMs, wantedBox, key }: Call,
  body: CallBody,
): Promise<OperationBox | null> {
  const { endpoint } = open;
  const isPull = endpoint === "/api/pull";
  if (wantedBox !== null || (!isPull && !isOperation(endpoint))) return null;
  const boxes = await newestBoxes(shell, { startedMs, key });
  if (boxes.length < 2) return null;
  const client = open.key_id ?? open.client_ip ?? "";
  const home = (names: readonly string[]) => rememberedHome(client, names, startedMs);
  const { model } = body;
  if (!isPull)
    return kept(
      client,
      operationBox({ endpoint, model, ...blobsIn(body) }, boxes, home, startedMs),
    );
  if (model === null) return null;
  const registered = (await aggregatorOf(shell.env).registry()).filter(({ name }) =>
    mayServe(key, name),
  );
  const box = pullBox(registered, model, home, startedMs);
  return kept(client, box === null ? null : { box, reason: "fits" });
}

/** Returns the boxes that may serve a call with this key. */
async function newestBoxes(
  shell: Invocation,
  { startedMs, key }: Pick<Call, "startedMs" | "key">,
): Promise<Fleet["boxes"]> {
  const { boxes } = await fleetFor(shell, startedMs, (_, ageMs) => ageMs < FLEET_KNOWN_MS);
  return boxes.filter(({ name }) => mayServe(key, name));
}

function rememberedHome(client: string, names: readonly string[], nowMs: number): string | null {
  const last = remembered.get(client);
  const isKnown = last !== undefined && nowMs - last.atMs < REMEMBERED_MS;
  return isKnown && names.includes(last.box) ? last.box : homeOf(client, names);
}

function kept(client: string, choice: OperationBox | null): OperationBox | null {
  if (choice === null) return null;
  remembered.delete(client); // so that the oldest is first
  remembered.set(client, { box: choice.box, atMs: Date.now() });
  const [oldest] = remembered.keys();
  if (remembered.size > REMEMBERED_MAX && oldest !== undefined) remembered.delete(oldest);
  return choice;
}

const Files = z.record(z.string(), z.unknown()).nullish();
const Create = z.object({ from: z.string().nullish(), files: Files, adapters: Files });

function blobsIn({ bytes }: CallBody): { from: string | null; hasBlobs: boolean } {
  const json = bytes instanceof Uint8Array ? jsonOfBytes(bytes) : null;
  const { data } = Create.safeParse(json?.ok === true ? json.value : null);
  const hasBlobs = [data?.files, data?.adapters].some(
    (files) => Object.keys(files ?? {}).length > 0,
  );
  return { from: data?.from || null, hasBlobs };
}

/**
 * Deletes a model from every box that has it, as its user expects of one Ollama. Each of them records a
 * call.
 * @returns Ollama's answer; null if at most one box has the model, and the ordinary call serves it
 * @throws {GatewayError} `boxes_failed`, with the outcome of each box
 */
async function deleteFromAll(
  shell: Invocation,
  call: Call,
  { bytes, ...body }: CallBody,
): Promise<Response | null> {
  const { model } = body;
  if (call.wantedBox !== null || model === null || !(bytes instanceof Uint8Array)) return null;
  const boxes = await newestBoxes(shell, call);
  const holders = boxes.filter((box) => isListed(box, call.startedMs) && holds(box, model));
  if (holders.length < 2) return null;
  const copy = bytes.slice();
  body.release?.();
  const answers = await Promise.all(
    holders.map(async ({ name }, index) => {
      const id = index === 0 ? call.id : newRequestId(Date.now());
      const own = { ...call, id, wantedBox: name, wantedReason: "operation" as const };
      const { stream, otherModels = [] } = body;
      return deleteAt(shell, own, { model, otherModels, stream, bytes: copy.slice() });
    }),
  );
  const done = answers.filter(({ failure }) => failure === null);
  const isGone = ({ failure }: BoxOutcome) =>
    failure?.reason === "box_answered" && failure.failedAt === null && failure.status === 404;
  const [first] = done;
  if (first?.answer === undefined || answers.some((each) => each.failure !== null && !isGone(each)))
    throw new GatewayError(failureOfBoxes(answers));
  first.answer.headers.set("x-request-id", call.id);
  first.answer.headers.set("x-box", done.map(({ box }) => box).join(", "));
  return first.answer;
}

async function deleteAt(
  shell: Invocation,
  call: Call & { wantedBox: string },
  body: CallBody,
): Promise<BoxOutcome & { answer?: Response }> {
  const outcome = { box: call.wantedBox, requestId: call.id };
  try {
    const answer = await serve(shell, call, async () => body);
    return answer.status === 200
      ? { ...outcome, failure: null, answer }
      : { ...outcome, failure: await failureOf(answer) };
  } catch (error) {
    return { ...outcome, failure: failureOfError(error) };
  }
}

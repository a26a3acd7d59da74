/**
 * Ends the answer of a call that changes models once the fleet knows the change, so that the next call
 * of its caller finds it in the list: the lists of several boxes come from the reports of their agents.
 */
import * as z from "zod";
import { jsonOfBytes } from "../../protocol/request-checks.ts";
import { isInstalledOn, type RegisteredBox } from "../registered-box.ts";
import { untilReported } from "./fleet.ts";
import { fleetFor, type Invocation } from "./known-fleet.ts";
import type { CallBody } from "./serve.ts";

/** A model that a call adds, or deletes. */
export type ModelChange = { model: string; isThere: boolean };

const Copy = z.object({ destination: z.string() });

/** Returns the change that a call makes if it succeeds; null if it changes no model. */
export function changeOf(endpoint: string, { model, bytes }: CallBody): ModelChange | null {
  if (endpoint === "/api/copy") {
    const json = bytes instanceof Uint8Array ? jsonOfBytes(bytes) : null;
    const copy = Copy.safeParse(json?.ok === true ? json.value : null);
    return copy.success ? { model: copy.data.destination, isThere: true } : null;
  }
  if (model === null) return null;
  if (endpoint === "/api/pull" || endpoint === "/api/create") return { model, isThere: true };
  return endpoint === "/api/delete" ? { model, isThere: false } : null;
}

/** @returns the same answer, whose end waits at most a second for the report */
export async function untilListed(
  shell: Invocation,
  answer: Response,
  change: ModelChange | null,
): Promise<Response> {
  if (change === null || answer.status !== 200) return answer;
  const { boxes } = await fleetFor(shell, Date.now(), () => true);
  if (boxes.length < 2) return answer; // a single box lists its models itself
  const names = answer.headers.get("x-box")?.split(", ") ?? [];
  const isListed = (box: RegisteredBox) =>
    !names.includes(box.name) || isInstalledOn(box, change.model) === change.isThere;
  const isStreamed = answer.headers.get("content-type")?.includes("ndjson") === true;
  if (!isStreamed || answer.body === null) {
    await untilReported(shell.env, isListed);
    return answer;
  }
  const end = new TransformStream<Uint8Array, Uint8Array>({
    flush: () => untilReported(shell.env, isListed),
  });
  return new Response(answer.body.pipeThrough(end), answer);
}

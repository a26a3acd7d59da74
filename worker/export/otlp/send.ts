/**
 * Sends one request to a collector, and reads its answer by the rules of the protocol.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
 */
import * as z from "zod";
import { StoreError, storeFetch } from "../external-store.ts";
import type { OtlpTarget } from "./settings.ts";

/** A 64-bit integer: text, or a number from lenient collectors. */
const Rejected = z.coerce.number().int().nonnegative().catch(0).default(0);
const Answer = z.object({
  partialSuccess: z
    .object({ rejectedSpans: Rejected, rejectedDataPoints: Rejected })
    .nullish()
    .catch(null),
});

/** Reads every answer itself. */
const fetchFrom = storeFetch(() => true);

/** @returns how many spans or points the collector rejected. Sending them again cannot help. */
export async function sendOtlp({ url, headers }: OtlpTarget, body: unknown): Promise<number> {
  const answer = await fetchFrom(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw failureOf(answer);
  const { success, data } = Answer.safeParse(await answer.json().catch(() => null));
  if (!success) return 0;
  return (data.partialSuccess?.rejectedSpans ?? 0) + (data.partialSuccess?.rejectedDataPoints ?? 0);
}

/** Settings that an operator can check. Unlike an SDK, the edge keeps its records meanwhile. */
const HINTS: Record<number, string> = {
  401: ": check OTEL_EXPORTER_OTLP_HEADERS",
  403: ": check OTEL_EXPORTER_OTLP_HEADERS",
  404: ": check the endpoint, and whether it takes this signal",
  405: ": check the endpoint, and whether it takes this signal",
  415: ": it does not take JSON",
};

function failureOf({ status, headers }: Response): StoreError {
  const message = `answered HTTP ${status}${HINTS[status] ?? ""}`;
  if (status === 400) return new StoreError("content", message);
  if (status === 413) return new StoreError("too_large", message);
  return new StoreError("unavailable", message, retryAfterMsOf(headers));
}

/** Reads `Retry-After`: seconds, or a date; null without a time in the future. */
function retryAfterMsOf(headers: Headers): number | null {
  const text = headers.get("retry-after");
  if (text === null) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return ms > 0 ? ms : null;
}

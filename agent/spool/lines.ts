/**
 * The lines of the spool's log, and the record of a request that a crash interrupted. Pure.
 *
 * Each line is a JSON object of one of seven kinds. A line counts only with its line feed: a line
 * cut off by a crash or a full disk is skipped. Lines read back are parsed with a schema: a disk is
 * outside this program, too.
 */
import * as z from "zod";
import { factsOf, type Open } from "../../protocol/messages.ts";
import { ReportedRecord, RequestRecord, UNMEASURED } from "../../protocol/records.ts";

/** The argument of `begin`: the caller's request, and the facts that only the agent knows. */
export type SpoolEntry = {
  request_id: string;
  box: string;
  open: Open;
  /** Already cut to its limit; null if text is not kept. */
  prompt: string | null;
  source: ReportedRecord["source"];
};

/**
 * The fields of a record that are known before the answer. Headers are left out: they may contain
 * data that must not be stored.
 */
const OpenFacts = ReportedRecord.pick({
  request_id: true,
  started_at: true,
  edge_ms: true,
  box: true,
  model: true,
  endpoint: true,
  api: true,
  stream: true,
  prompt: true,
  key_id: true,
  client_ip: true,
  user_agent: true,
  end_user: true,
  session_id: true,
  source: true,
  seal: true,
});
export type OpenFacts = z.infer<typeof OpenFacts>;

/** Wall clock of the agent when the line was written, unix ms. */
const at = z.number();
const position = z.int().nonnegative();

/** A request began. Written again, unchanged, if its segment is deleted while it is open. */
const OpenLine = z.object({ t: z.literal("open"), at, begun: OpenFacts });
export type OpenLine = z.infer<typeof OpenLine>;

/**
 * The state of an open request, so that a record written after a crash has figures of the last
 * second before it.
 */
export const RequestProgress = RequestRecord.pick({
  request_id: true,
  ttft_ms: true,
  completion_tokens: true,
}).extend({
  /** The status that the caller has received; null while its answer has not begun. */
  http_status: RequestRecord.shape.http_status.nullable(),
});
export type RequestProgress = z.infer<typeof RequestProgress>;

/**
 * The state of an open request, with its text so far: null if text is not kept, or if the caller has
 * none of it yet.
 */
export type NotedRequest = RequestProgress & { response: string | null };

/** How often open requests are noted: a killed agent loses this much of an answer's figures. */
export const NOTE_EVERY_MS = 250;

/** Written every {@link NOTE_EVERY_MS} while requests are open. Later lines replace earlier ones. */
const ProgressLine = z.object({ t: z.literal("progress"), at, requests: z.array(RequestProgress) });

/**
 * A part of the text of an open answer, from this character on. Replaces what was noted behind it.
 * Joined, the parts are the text of a record written after a crash.
 */
export const TextPart = RequestRecord.pick({ request_id: true }).extend({
  from: z.int().nonnegative(),
  text: RequestRecord.shape.response.unwrap(),
});
export type TextPart = z.infer<typeof TextPart>;
const TextLine = z.object({ t: z.literal("text"), at, part: TextPart });

/** A request finished. Positions rise, with gaps. */
const DoneLine = z.object({ t: z.literal("done"), at, position, record: ReportedRecord });
export type DoneLine = z.infer<typeof DoneLine>;

/** Everything up to `position` is in the ledger. */
const ConfirmedLine = z.object({ t: z.literal("confirmed"), at, position });

/** The newest ended and confirmed ids of deleted segments, oldest first. */
const OverLine = z.object({ t: z.literal("over"), at, ids: z.array(z.string().max(64)) });

/** Written over a line of a request whose record is in the ledger: its texts are gone. */
const GoneLine = z.object({ t: z.literal("gone"), at, id: z.string().max(64) });

const SpoolLine = z.discriminatedUnion("t", [
  OpenLine,
  ProgressLine,
  TextLine,
  DoneLine,
  ConfirmedLine,
  OverLine,
  GoneLine,
]);
export type SpoolLine = z.infer<typeof SpoolLine>;

export const lineOf = (line: SpoolLine): string => `${JSON.stringify(line)}\n`;

/** Returns true if a stored line is a finished request, without parsing it. */
export const isDoneLine = (text: string): boolean => text.startsWith('{"t":"done"');

/** The start of a line about one request. `position` is null if it is only the beginning. */
export type LineHead = { id: string; at: number; position: number | null };

const HEAD =
  /^\{"t":"(?:open|text|done)","at":([\d.]+),(?:"begun"|"part"|"position":(\d+),"record"):\{"request_id":"([^"]+)"/;

/** Reads the start of a stored line, because parsing its texts would cost too much. */
export function lineHeadOf(text: string): LineHead | null {
  const [, at, position, id] = HEAD.exec(text) ?? [];
  if (at === undefined || id === undefined) return null;
  return { id, at: Number(at), position: position === undefined ? null : Number(position) };
}

/** Returns a line of that many bytes, padded with spaces, which keeps nothing but the id. */
export const goneLineOf = ({ id, at }: LineHead, bytes: number): string =>
  `${JSON.stringify({ t: "gone", at, id }).padEnd(bytes - 1)}\n`;

/** Returns null for anything that is not a valid line of the spool. */
export function parseLine(text: string): SpoolLine | null {
  try {
    return SpoolLine.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

export const openFactsOf = ({ request_id, box, open, prompt, source }: SpoolEntry): OpenFacts => ({
  ...factsOf(request_id, open),
  box,
  prompt: open.keep_text ? prompt : null,
  source,
  seal: open.seal,
});

/**
 * Returns the record of a request that this agent began and could not finish.
 * @param boxMs     known running time on this box in ms; may be too short, never too long
 * @param progress  its last noted state; null if none was noted
 */
export function interruptedRecord(
  begun: OpenFacts,
  errorMessage: string,
  boxMs: number,
  progress: NotedRequest | null = null,
): ReportedRecord {
  return {
    ...begun,
    ...UNMEASURED,
    response: progress?.response ?? null,
    ttft_ms: progress?.ttft_ms ?? null,
    completion_tokens: progress?.completion_tokens ?? null,
    status: "error",
    http_status: progress?.http_status ?? 502,
    failed_at: "tunnel",
    error_message: errorMessage,
    latency_ms: (begun.edge_ms ?? 0) + Math.max(0, boxMs),
    resumed: 0,
  };
}

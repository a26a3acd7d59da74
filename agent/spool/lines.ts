/**
 * The lines of the spool's log, and what a crash makes of them. Pure.
 *
 * JSON lines, one of four kinds. A line counts only with its line feed: what a crash or a
 * full disk cut off is skipped. Whatever is read back is parsed; a disk is outside, too.
 */
import { z } from "zod";
import { factsOf, type Open } from "../../protocol/messages.ts";
import { RequestRecord, UNMEASURED } from "../../protocol/records.ts";

/** What `begin` is told: the caller's request, and what only the agent knows of it. */
export type SpoolEntry = {
  request_id: string;
  box: string;
  open: Open;
  /** Already cut to its limit; null when text is not kept. */
  prompt: string | null;
};

/** What a record says before anything is known of the answer. Headers stay out: they may hold what nobody may keep. */
const OpenFacts = RequestRecord.pick({
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
});
export type OpenFacts = z.infer<typeof OpenFacts>;

/** Wall clock of the agent when the line was written, unix ms. */
const at = z.number();
const position = z.int().nonnegative();

/** A request was begun. Written again, unchanged, when its segment is deleted while it is open. */
const OpenLine = z.object({ t: z.literal("open"), at, begun: OpenFacts });
export type OpenLine = z.infer<typeof OpenLine>;

/** A request is finished. Positions rise, with gaps. */
const DoneLine = z.object({ t: z.literal("done"), at, position, record: RequestRecord });
export type DoneLine = z.infer<typeof DoneLine>;

/** Everything up to `position` is in the ledger. */
const ConfirmedLine = z.object({ t: z.literal("confirmed"), at, position });

/** The newest ids that are over and confirmed, oldest first: what deleted segments knew. */
const OverLine = z.object({ t: z.literal("over"), at, ids: z.array(z.string().max(64)) });

const SpoolLine = z.discriminatedUnion("t", [OpenLine, DoneLine, ConfirmedLine, OverLine]);
export type SpoolLine = z.infer<typeof SpoolLine>;

export const lineOf = (line: SpoolLine): string => `${JSON.stringify(line)}\n`;

/** Whether a stored line is a finished request, without parsing it. */
export const isDoneLine = (text: string): boolean => text.startsWith('{"t":"done"');

/** @returns null for anything that is no line of the spool. */
export function parseLine(text: string): SpoolLine | null {
  try {
    return SpoolLine.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

export const openFactsOf = ({ request_id, box, open, prompt }: SpoolEntry): OpenFacts => ({
  ...factsOf(request_id, open),
  box,
  prompt: open.keep_text ? prompt : null,
});

/**
 * The record of a request that this agent began and could not finish.
 * @param boxMs how long it is known to have run here; less than it took, never more
 */
export function interruptedRecord(
  begun: OpenFacts,
  errorMessage: string,
  boxMs: number,
): RequestRecord {
  return {
    ...begun,
    ...UNMEASURED,
    status: "error",
    http_status: 502,
    failed_at: "tunnel",
    error_message: errorMessage,
    latency_ms: (begun.edge_ms ?? 0) + Math.max(0, boxMs),
    resumed: 0,
  };
}

/**
 * The reports of an agent, on their way to the registry and the ledger: checked, and filed under
 * the box's own name.
 */
import * as z from "zod";
import { parsePayload } from "../../protocol/frames.ts";
import { Readings } from "../../protocol/inventory.ts";
import type { EdgeSettings, Hello } from "../../protocol/messages.ts";
import { ReportedRecord } from "../../protocol/records.ts";
import type { KeyEnds } from "../keys/ends.ts";

/** The registry of boxes and the ledger, as the relay of one box uses them. */
export type BoxRegistry = {
  /**
   * Returns the settings in force, and the ends of the keys. An older Aggregator omits the latter.
   * @param atMs  by the clock of the Box, as for {@link gone}: the Aggregator's may be ahead, and an agent that
   *   leaves at once would stay up
   */
  connected(hello: Hello, atMs: number): Promise<EdgeSettings & { keys?: KeyEnds }>;
  draining(box: string): Promise<unknown>;
  read(box: string, readings: Readings): Promise<unknown>;
  gone(box: string, atMs: number): Promise<unknown>;
  /**
   * Resolves when the records are durable.
   * @param malformed  how many more could not be read
   */
  report(box: string, records: ReportedRecord[], malformed: number): Promise<unknown>;
};

/** Checks the envelope only, because one bad record must not hold up the others. */
const RecordsEnvelope = z.object({
  position: z.int().nonnegative(),
  records: z.array(z.unknown()).max(1_000),
});

/**
 * Passes records to the ledger. A record that the ledger cannot take is dropped, yet confirmed: it
 * would be just as bad when sent again.
 * @param onBad  called with the reason, for each dropped record
 * @returns the position to confirm, once the ledger has the records
 * @throws {FrameError} and the registry's errors
 */
export async function passRecords(
  payload: Uint8Array,
  box: string,
  registry: BoxRegistry,
  onBad: (why: string) => void,
): Promise<number> {
  const { position, records } = parsePayload(RecordsEnvelope, payload);
  const readable = records.flatMap((value): ReportedRecord[] => {
    const result = ReportedRecord.safeParse(value);
    if (result.success) return [result.data];
    onBad(z.prettifyError(result.error).slice(0, 500));
    return [];
  });
  await registry.report(box, readable, records.length - readable.length);
  return position;
}

/** Passes readings to the registry. @throws {FrameError} and the registry's errors */
export async function passReadings(
  payload: Uint8Array,
  box: string,
  registry: BoxRegistry,
): Promise<Readings> {
  const readings = parsePayload(Readings, payload);
  for (const sample of [...readings.gpu.samples, ...(readings.gpu.history ?? [])]) sample.box = box;
  await registry.read(box, readings);
  return readings;
}

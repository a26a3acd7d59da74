/** What the agent of a box reports of itself, on its way to the registry and the ledger: checked, and under the box's own name. */
import { z } from "zod";
import { parsePayload } from "../../protocol/frames.ts";
import { Readings } from "../../protocol/inventory.ts";
import type { Hello } from "../../protocol/messages.ts";
import { RequestRecord } from "../../protocol/records.ts";

/** Who is told. */
export type BoxRegistry = {
  connected(hello: Hello): Promise<unknown>;
  draining(box: string): Promise<unknown>;
  read(box: string, readings: Readings): Promise<unknown>;
  gone(box: string, atMs: number): Promise<unknown>;
  /** When it resolves, the records are durable. */
  ingest(records: RequestRecord[]): Promise<unknown>;
};

/** The envelope only: one bad record must not hold up the others. */
const RecordsEnvelope = z.object({
  position: z.int().nonnegative(),
  records: z.array(z.unknown()).max(1_000),
});

/**
 * @param onBad  hears of each record that the ledger would not take. It is dropped, and confirmed: sent again it would be as bad
 * @returns the position to confirm, once the ledger has the records
 * @throws {FrameError}, and what the registry throws
 */
export async function passRecords(
  payload: Uint8Array,
  box: string,
  registry: BoxRegistry,
  onBad: (why: string) => void,
): Promise<number> {
  const { position, records } = parsePayload(RecordsEnvelope, payload);
  const checked = records.flatMap((value): RequestRecord[] => {
    const result = RequestRecord.safeParse(value);
    if (result.success) return [{ ...result.data, box }];
    onBad(z.prettifyError(result.error).slice(0, 500));
    return [];
  });
  await registry.ingest(checked);
  return position;
}

/** @throws {FrameError}, and what the registry throws */
export async function passReadings(
  payload: Uint8Array,
  box: string,
  registry: BoxRegistry,
): Promise<Readings> {
  const readings = parsePayload(Readings, payload);
  for (const sample of readings.gpu.samples) sample.box = box;
  // The requests are of this moment: nothing to keep in a registry.
  await registry.read(box, { ...readings, requests: [] });
  return readings;
}

/** One row of the registry: how a box is written to SQLite and read back. */
import * as z from "zod";
import { GpuSample, SystemSample } from "../../protocol/records.ts";
import { EnergyHour, EnergySums } from "../counting/energy-hours.ts";
import { CountedGpu, RegisteredBox } from "../registered-box.ts";
import { jsonText } from "../storage/json-text.ts";
import type { Samples } from "./arriving-samples.ts";

/** A box, and what waits in its row. */
export type BoxEntry = {
  box: RegisteredBox;
  pending: Samples;
  pendingSinceMs: number | null;
  /** When an agent of the box first returned seals; null if none has. */
  sealedSinceMs: number | null;
  /** The energy and the cost of the box since the metrics were last cleared. */
  energySpent: EnergySums;
  /** The part of it in the newest hour; null before the first. */
  energyHour: EnergyHour | null;
};

const Row = RegisteredBox.extend({
  hello: jsonText(RegisteredBox.shape.hello),
  readings: jsonText(RegisteredBox.shape.readings.unwrap()).nullable(),
  gpu_energy: jsonText(z.array(CountedGpu)),
  energy_spent: jsonText(EnergySums),
  energy_hour: jsonText(EnergyHour.nullable()),
  pending_gpu: jsonText(z.array(GpuSample)),
  pending_system: jsonText(z.array(SystemSample)),
  pending_since_ms: z.number().nullable(),
  sealed_since_ms: z.number().nullable(),
});

/** Returns all boxes in order of name. */
export const readBoxes = (sql: SqlStorage): BoxEntry[] =>
  sql
    .exec("SELECT * FROM boxes ORDER BY name")
    .toArray()
    .map((row) => {
      const {
        pending_gpu: gpu,
        pending_system: system,
        pending_since_ms: pendingSinceMs,
        sealed_since_ms: sealedSinceMs,
        energy_spent: energySpent,
        energy_hour: energyHour,
        ...box
      } = Row.parse(row);
      return {
        box,
        pending: { gpu, system },
        pendingSinceMs,
        sealedSinceMs,
        energySpent,
        energyHour,
      };
    });

export function writeBox(
  sql: SqlStorage,
  { box, pending, pendingSinceMs, sealedSinceMs, energySpent, energyHour }: BoxEntry,
): void {
  const columns = {
    name: box.name,
    state: box.state,
    hello: JSON.stringify(box.hello),
    connected_at_ms: box.connected_at_ms,
    last_seen_ms: box.last_seen_ms,
    readings: box.readings && JSON.stringify(box.readings),
    readings_at_ms: box.readings_at_ms,
    gpus_at_ms: box.gpus_at_ms,
    gpu_energy: JSON.stringify(box.gpu_energy),
    energy_spent: JSON.stringify(energySpent),
    energy_hour: JSON.stringify(energyHour),
    pending_gpu: JSON.stringify(pending.gpu),
    pending_system: JSON.stringify(pending.system),
    pending_since_ms: pendingSinceMs,
    sealed_since_ms: sealedSinceMs,
  };
  const names = Object.keys(columns);
  sql.exec(
    `INSERT OR REPLACE INTO boxes (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
    ...Object.values(columns),
  );
}

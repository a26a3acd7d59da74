/** Collectors of OpenTelemetry as receivers of records, one for each signal: they fail apart. */
import { StoreError } from "../external-store.ts";
import type { AnyRow, Kind } from "../rows.ts";
import type { Batch, Refuse, Sink } from "../sink.ts";
import { type CountersNow, counterMetrics } from "./counters.ts";
import { resourceOf, SCOPE } from "./data.ts";
import type { OtlpMetric } from "./metric.ts";
import { gpuMetrics, machineMetrics } from "./readings.ts";
import { sendOtlp } from "./send.ts";
import type { OtlpSettings, OtlpTarget } from "./settings.ts";
import { spansOf } from "./spans.ts";

/** Opens a receiver for each signal with an address. @param counted  returns the counters as of now */
export const openOtlpSinks = (
  { traces, metrics }: OtlpSettings,
  counted: () => CountersNow,
): Sink[] => [
  ...(traces === null ? [] : [new OtlpTraces(traces)]),
  ...(metrics === null ? [] : [new OtlpMetrics(metrics, counted)]),
];

/** The spans of a request, or the points of a sample, with all their attributes. */
const ROW_BYTES = 6_000;

/** Returns the bytes of a row: the texts of a request are in memory, although they are not sent. */
const bytesOf = (row: AnyRow): number =>
  Object.values(row).reduce(
    (sum: number, value) => sum + (typeof value === "string" ? value.length : 0),
    ROW_BYTES,
  );

class OtlpTraces implements Sink {
  readonly name = "otlp_traces";
  /** A span that arrives again has the same ids. */
  readonly countsOnce = true;
  readonly kinds: readonly Kind[] = ["requests"];
  readonly bytesOf = bytesOf;
  readonly #target: OtlpTarget;

  constructor(target: OtlpTarget) {
    this.#target = target;
  }

  async check(): Promise<void> {}

  async insert(batch: Batch, refuse: Refuse): Promise<void> {
    if (batch.kind !== "requests") return;
    const spans = batch.rows.flatMap(spansOf);
    const resource = resourceOf(this.#target.service, null);
    const rejected = await sendOtlp(this.#target, {
      resourceSpans: [{ resource, scopeSpans: [{ scope: SCOPE, spans }] }],
    });
    if (rejected > 0)
      refuse(
        Math.min(batch.rows.length, rejected),
        `rejected ${rejected} of ${spans.length} spans`,
      );
  }
}

class OtlpMetrics implements Sink {
  readonly name = "otlp_metrics";
  /** A point that arrives again has the same time and value. */
  readonly countsOnce = true;
  /** A request sends the counters, which contain it. */
  readonly kinds: readonly Kind[] = ["requests", "gpu_samples", "system_samples"];
  readonly bytesOf = bytesOf;
  readonly #target: OtlpTarget;
  readonly #counted: () => CountersNow;

  constructor(target: OtlpTarget, counted: () => CountersNow) {
    this.#target = target;
    this.#counted = counted;
  }

  async check(): Promise<void> {}

  async insert(batch: Batch, refuse: Refuse): Promise<void> {
    const rejected = await (batch.kind === "requests" ? this.#sendCounters() : this.#send(batch));
    if (rejected > 0)
      refuse(Math.min(batch.rows.length, rejected), `rejected ${rejected} data points`);
  }

  #send(batch: Batch): Promise<number> {
    if (batch.kind === "gpu_samples") return this.#sendByBox(batch.rows, gpuMetrics);
    if (batch.kind !== "system_samples") return Promise.resolve(0);
    const { simulatedBoxes } = this.#counted();
    return this.#sendByBox(batch.rows, (rows) => machineMetrics(rows, simulatedBoxes));
  }

  /** The conventions of hardware name the machine in the resource. */
  #sendByBox<Row extends { box: string }>(
    rows: readonly Row[],
    metricsOf: (rows: readonly Row[]) => OtlpMetric[],
  ): Promise<number> {
    const boxes = [...Map.groupBy(rows, ({ box }) => box)];
    return sendOtlp(this.#target, {
      resourceMetrics: boxes.map(([box, ofBox]) => this.#resource(box, metricsOf(ofBox))),
    });
  }

  /** The counters are those of now, not of the batch. So no smaller batch could be accepted instead. */
  async #sendCounters(): Promise<number> {
    const metrics = counterMetrics(this.#counted());
    try {
      return await sendOtlp(this.#target, { resourceMetrics: [this.#resource(null, metrics)] });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      throw new StoreError("unavailable", error.message, error.retryAfterMs);
    }
  }

  #resource(box: string | null, metrics: OtlpMetric[]) {
    const resource = resourceOf(this.#target.service, box);
    return { resource, scopeMetrics: [{ scope: SCOPE, metrics }] };
  }
}

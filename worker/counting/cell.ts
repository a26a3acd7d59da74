/**
 * A cell: the sum of many finished requests, with every figure that is shown about them.
 *
 * Cells can be added: to an hour, to all time, to a model on all boxes, to everything. A value that a
 * record does not know (`null`) is left out of its figure, never counted as 0. Only inference requests
 * of callers contribute to tokens, latency and TTFT, and to latency only if they succeeded: refusals and
 * failures end early. All requests are counted.
 */
import { DAY_MS } from "../../protocol/day.ts";
import type { RequestRecord, Status } from "../../protocol/records.ts";
import { countsAsInference } from "../../protocol/routes.ts";
import { BlobError, BlobReader, BlobWriter } from "./blob.ts";
import { LATENCY_EDGES_MS, TIME_PER_TOKEN_EDGES, WAIT_EDGES } from "./edges.ts";
import { Histogram } from "./histogram.ts";
import { Sketch } from "./sketch.ts";
import { Spent } from "./spent.ts";

/**
 * First byte of a blob. Rises when the layout or a bucket edge changes, because old counts mean
 * something else.
 */
const BLOB_VERSION = 4;
/** Older versions, which lack the fields at the end of the blob. */
const BLOB_VERSION_BEFORE_COST = 3;
const BLOB_VERSION_BEFORE_ENERGY = 2;
const BLOB_VERSION_BEFORE_RESUMES = 1;

const MS_PER_SECOND = 1000;

/**
 * Figures above these come from a broken measurement. The request is counted, but the figure is left
 * out like an unknown one: a single absurd number would dominate every average, or overflow a sum.
 */
export const TOKENS_MAX = 1e9;
const RESUMES_MAX = 1e6;
const ENERGY_MAX_J = 1e10;
const DURATION_MAX_MS = 366 * DAY_MS;

/** The fields of a record that are summed. */
export type Summed = Pick<
  RequestRecord,
  | "endpoint"
  | "source"
  | "status"
  | "latency_ms"
  | "ttft_ms"
  | "queue_ms"
  | "load_ms"
  | "prefill_ms"
  | "decode_ms"
  | "prompt_tokens"
  | "completion_tokens"
  | "resumed"
  | "energy_j"
  | "cost"
  | "co2_g"
>;

export class Cell {
  readonly requests: Record<Status, number> = { success: 0, error: 0, cancelled: 0 };
  promptTokens = 0;
  completionTokens = 0;
  /**
   * Completion tokens of requests whose decode time is known, and that time: their ratio is the
   * decode rate.
   */
  decodedTokens = 0;
  decodeMs = 0;
  /** Resumes of the tunnel during the requests. */
  resumes = 0;
  /** Requests whose energy is known, their energy, and their completion tokens. */
  energyRequests = 0;
  energyJ = 0;
  energyTokens = 0;
  /** Cost and CO2 of that energy. */
  spent = new Spent();
  /** End of the last request, unix ms; 0 in an empty cell. */
  lastUsedMs = 0;
  latency = new Sketch();
  ttft = new Sketch();
  latencyMs = new Histogram(LATENCY_EDGES_MS);
  ttftSeconds = new Histogram(WAIT_EDGES);
  queueSeconds = new Histogram(WAIT_EDGES);
  loadSeconds = new Histogram(WAIT_EDGES);
  secondsPerToken = new Histogram(TIME_PER_TOKEN_EDGES);

  get total(): number {
    return this.requests.success + this.requests.error + this.requests.cancelled;
  }

  /** True if a model worked on any of the requests. */
  get hasInference(): boolean {
    return this.latency.count + this.promptTokens + this.completionTokens > 0;
  }

  /** Mean latency, ms; null without successful inference requests. */
  get meanLatencyMs(): number | null {
    return this.latency.count === 0 ? null : this.latency.sum / this.latency.count;
  }

  /** Completion tokens per second of decoding; null if no decode time is known. */
  get decodeRate(): number | null {
    return this.decodeMs === 0 ? null : (this.decodedTokens / this.decodeMs) * MS_PER_SECOND;
  }

  /** Joules per 1,000 completion tokens, including the energy of their prompts; null if unknown. */
  get energyPerThousandTokensJ(): number | null {
    return this.energyTokens === 0 ? null : (this.energyJ / this.energyTokens) * 1_000;
  }

  /** Share of the requests that failed, 0 to 1; null without requests. */
  get errorRate(): number | null {
    return this.total === 0 ? null : this.requests.error / this.total;
  }

  /** @param finishedMs  end of the request, unix ms */
  add(record: Summed, finishedMs: number): void {
    this.requests[record.status]++;
    this.lastUsedMs = Math.max(this.lastUsedMs, finishedMs);
    this.resumes += atMost(RESUMES_MAX, record.resumed) ?? 0;
    if (!countsAsInference(record)) return;
    const latencyMs = atMost(DURATION_MAX_MS, record.latency_ms);
    if (latencyMs !== null && record.status === "success") {
      this.latency.add(latencyMs);
      this.latencyMs.add(latencyMs);
    }
    const ttftMs = atMost(DURATION_MAX_MS, record.ttft_ms);
    if (ttftMs !== null) {
      this.ttft.add(ttftMs);
      this.ttftSeconds.add(ttftMs / MS_PER_SECOND);
    }
    const queueMs = atMost(DURATION_MAX_MS, record.queue_ms);
    if (queueMs !== null) this.queueSeconds.add(queueMs / MS_PER_SECOND);
    const loadMs = atMost(DURATION_MAX_MS, record.load_ms);
    if (loadMs !== null) this.loadSeconds.add(loadMs / MS_PER_SECOND);
    const tokens = atMost(TOKENS_MAX, record.completion_tokens);
    this.promptTokens += atMost(TOKENS_MAX, record.prompt_tokens) ?? 0;
    this.completionTokens += tokens ?? 0;
    const energyJ = atMost(ENERGY_MAX_J, record.energy_j);
    if (energyJ !== null) {
      this.energyRequests++;
      this.energyJ += energyJ;
      this.energyTokens += tokens ?? 0;
      this.spent.add(
        {
          ...record,
          prompt_tokens: atMost(TOKENS_MAX, record.prompt_tokens),
          completion_tokens: tokens,
          prefill_ms: atMost(DURATION_MAX_MS, record.prefill_ms),
          decode_ms: atMost(DURATION_MAX_MS, record.decode_ms),
        },
        energyJ,
      );
    }
    const decodeMs = atMost(DURATION_MAX_MS, record.decode_ms);
    if (tokens !== null && tokens > 0 && decodeMs !== null && decodeMs > 0) {
      this.decodedTokens += tokens;
      this.decodeMs += decodeMs;
      this.secondsPerToken.add(decodeMs / MS_PER_SECOND / tokens);
    }
  }

  merge(other: Cell): void {
    this.requests.success += other.requests.success;
    this.requests.error += other.requests.error;
    this.requests.cancelled += other.requests.cancelled;
    this.promptTokens += other.promptTokens;
    this.completionTokens += other.completionTokens;
    this.decodedTokens += other.decodedTokens;
    this.decodeMs += other.decodeMs;
    this.resumes += other.resumes;
    this.energyRequests += other.energyRequests;
    this.energyJ += other.energyJ;
    this.energyTokens += other.energyTokens;
    this.spent.merge(other.spent);
    this.lastUsedMs = Math.max(this.lastUsedMs, other.lastUsedMs);
    this.latency.merge(other.latency);
    this.ttft.merge(other.ttft);
    this.latencyMs.merge(other.latencyMs);
    this.ttftSeconds.merge(other.ttftSeconds);
    this.queueSeconds.merge(other.queueSeconds);
    this.loadSeconds.merge(other.loadSeconds);
    this.secondsPerToken.merge(other.secondsPerToken);
  }

  encode(): Uint8Array<ArrayBuffer> {
    const writer = new BlobWriter();
    writer.varint(BLOB_VERSION);
    writer.varint(this.requests.success);
    writer.varint(this.requests.error);
    writer.varint(this.requests.cancelled);
    writer.varint(this.promptTokens);
    writer.varint(this.completionTokens);
    writer.varint(this.decodedTokens);
    writer.double(this.decodeMs);
    writer.varint(this.lastUsedMs);
    this.latency.write(writer);
    this.ttft.write(writer);
    this.latencyMs.write(writer);
    this.ttftSeconds.write(writer);
    this.queueSeconds.write(writer);
    this.loadSeconds.write(writer);
    this.secondsPerToken.write(writer);
    writer.varint(this.resumes);
    writer.varint(this.energyRequests);
    writer.double(this.energyJ);
    writer.varint(this.energyTokens);
    this.spent.write(writer);
    return writer.finish();
  }

  /** @throws {BlobError} when the bytes are not a cell of this version. */
  static decode(bytes: Uint8Array): Cell {
    const reader = new BlobReader(bytes);
    const version = reader.varint();
    if (version > BLOB_VERSION || version < BLOB_VERSION_BEFORE_RESUMES)
      throw new BlobError(
        `a cell has version ${version}; this code reads versions up to ${BLOB_VERSION}`,
      );
    const cell = new Cell();
    cell.requests.success = reader.varint();
    cell.requests.error = reader.varint();
    cell.requests.cancelled = reader.varint();
    cell.promptTokens = reader.varint();
    cell.completionTokens = reader.varint();
    cell.decodedTokens = reader.varint();
    cell.decodeMs = reader.sum();
    cell.lastUsedMs = reader.varint();
    cell.latency = Sketch.read(reader);
    cell.ttft = Sketch.read(reader);
    cell.latencyMs = Histogram.read(reader, LATENCY_EDGES_MS);
    cell.ttftSeconds = Histogram.read(reader, WAIT_EDGES);
    cell.queueSeconds = Histogram.read(reader, WAIT_EDGES);
    cell.loadSeconds = Histogram.read(reader, WAIT_EDGES);
    cell.secondsPerToken = Histogram.read(reader, TIME_PER_TOKEN_EDGES);
    if (version > BLOB_VERSION_BEFORE_RESUMES) cell.resumes = reader.varint();
    if (version > BLOB_VERSION_BEFORE_ENERGY) {
      cell.energyRequests = reader.varint();
      cell.energyJ = reader.sum();
      cell.energyTokens = reader.varint();
    }
    if (version > BLOB_VERSION_BEFORE_COST) cell.spent = Spent.read(reader);
    reader.end();
    return cell;
  }
}

const atMost = (max: number, value: number | null): number | null =>
  value !== null && value <= max ? value : null;

/** The cell of a model on a box; `box` is empty for requests that reached no box. */
export type KeyedCell = { model: string; box: string; cell: Cell };

/** Returns the sum of cells as a new cell. */
export function sumOf(cells: Iterable<Cell>): Cell {
  const sum = new Cell();
  for (const cell of cells) sum.merge(cell);
  return sum;
}

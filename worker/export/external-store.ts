/** A store, as a sink writes to it and the API reads from it: the same for ClickHouse and Postgres. */
import type { HistoryPoint, Logs, LogsPage } from "../../protocol/api/stats.ts";
import type { Span } from "../answers/history.ts";
import type { AnyRow, Rows } from "./rows.ts";
import type { MeanSamples } from "./sample-means.ts";

export type StoreName = "clickhouse" | "postgres";

/** Rows that are stored together, or not at all. Sent again, it has the same id and the same rows. */
export type Batch = { id: string } & Rows;

/** What of a store is to be deleted, or was: rows. */
export type Clearing = { logs: boolean; metrics: boolean };
export type ClearedRows = { logs: number; metrics: number };

export type LogFilter = Omit<LogsPage, "cursor"> & {
  cursor?: string | undefined /** unix ms: what finished until then was cleared */;
  clearedMs: number | null;
};
export type HistoryFilter = {
  model?: string | undefined;
  box?: string | undefined /** unix ms: what is of before was cleared */;
  clearedMs: number | null;
};

export interface ExternalStore {
  readonly name: StoreName;
  /** How far back its history goes, and its samples. */
  readonly historyDays: number;
  readonly samplesDays: number;
  /** Whether a row that comes again in another batch is one row, also in the sums. */
  readonly countsOnce: boolean;
  /** How many bytes of a statement a row makes. */
  bytesOf(row: AnyRow): number;
  /** @throws {StoreError} `schema`, when the tables are not as this version needs them. */
  check(): Promise<void>;
  /** May be called again with the same batch: it is stored once. @throws {StoreError} */
  insert(batch: Batch): Promise<void>;
  /** @throws {StoreError} */
  clear(what: Clearing): Promise<ClearedRows>;
  /** Deletes what is older than it is kept. @throws {StoreError} */
  deleteOld(): Promise<void>;
  /** One page, newest first. @throws {StoreError} */
  logs(filter: LogFilter): Promise<Logs>;
  /** The buckets of a span, empty ones too. @throws {StoreError} */
  history(span: Span, filter: HistoryFilter, nowMs: number): Promise<HistoryPoint[]>;
  /** The samples of a span: of each machine and GPU the means of each bucket that has any. @throws {StoreError} */
  samples(span: Span, filter: Omit<HistoryFilter, "model">): Promise<MeanSamples[]>;
}

/**
 * Why a store did not do what it was told.
 *
 * `schema`: its tables are not as they must be. `content`: it refuses rows for what is in them.
 * `too_large`: it takes no request of that size. None of these was carried out. `unavailable`:
 * anything else; it may have been carried out.
 */
export type StoreFailure = "schema" | "content" | "too_large" | "unavailable";

/**
 * Its message goes to health, logs and the page. It is made of our words and the store's codes,
 * never of the store's text: that may hold a password, a connection string, or somebody's prompt.
 */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly failure: StoreFailure;

  constructor(failure: StoreFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

/** Bound on one statement, ms. A store that needs longer gets the batch again, later. */
export const STATEMENT_MS = 30_000;

/**
 * A `fetch` that tells what a store says from what something in front of it says, and that ends. The
 * answer is read whole: a timer that goes on would keep the object awake, and that is billed.
 * @param isOfStore  whether the client reads an answer's failure itself
 */
export const storeFetch =
  (isOfStore: (response: Response) => boolean) =>
  async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), STATEMENT_MS);
    const signal = init?.signal ? AbortSignal.any([init.signal, limit.signal]) : limit.signal;
    try {
      // A redirect would take the credentials somewhere else.
      const response = await fetch(url, { ...init, signal, redirect: "manual" });
      const { status, headers } = response;
      if (!response.ok && !isOfStore(response)) {
        await response.body?.cancel();
        throw new StoreError(
          status === 413 ? "too_large" : "unavailable",
          `answered HTTP ${status}`,
        );
      }
      // Also one without a byte: the client of ClickHouse waits for ever where there is no body at all.
      return new Response(await response.arrayBuffer(), { status, headers });
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw new StoreError(
        "unavailable",
        limit.signal.aborted
          ? `did not answer within ${STATEMENT_MS / 1_000} s`
          : "cannot be reached",
      );
    } finally {
      clearTimeout(timer);
    }
  };

/** The failure of a client of a store: ours, wherever the client put it. */
export function storeErrorOf(error: unknown): StoreError | null {
  if (error instanceof StoreError) return error;
  if (error instanceof Error && "sourceError" in error) return storeErrorOf(error.sourceError);
  return error instanceof Error && error.cause !== undefined ? storeErrorOf(error.cause) : null;
}

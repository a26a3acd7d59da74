/** One external store: a receiver of records that can be read, and cleared. */
import type { Logs, LogsPage } from "../../protocol/api/logs.ts";
import type { HistoryPoint } from "../../protocol/api/stats.ts";
import type { StoreName } from "../../protocol/stores.ts";
import type { Span } from "../answers/history.ts";
import type { StoreRetention } from "../retention.ts";
import type { MeanSamples } from "./sample-means.ts";
import type { Batch, ClearedRows, Clearing, Sink } from "./sink.ts";

export type LogFilter = Omit<LogsPage, "cursor"> & {
  cursor?: string | undefined;
  /** Requests that finished until then were cleared; unix ms. */
  clearedMs: number | null;
};
export type HistoryFilter = {
  model?: string | undefined;
  box?: string | undefined;
  /** Reads the requests themselves, which are kept for a shorter time than their sums. */
  key?: string | undefined;
  /** Figures from before were cleared; unix ms. */
  clearedMs: number | null;
};

export interface ExternalStore extends Sink {
  readonly name: StoreName;
  readonly retention: StoreRetention;
  /** Creates the tables or brings them up to date. @throws {StoreError} */
  migrate(): Promise<void>;
  /** @throws {StoreError} `schema`, if the tables differ from the ones this version needs. */
  check(): Promise<void>;
  /** Takes a batch whole or not at all. @throws {StoreError} */
  insert(batch: Batch): Promise<void>;
  /** @throws {StoreError} */
  clear(what: Clearing): Promise<ClearedRows>;
  /**
   * Removes the texts of all requests, as if `LOG_CONTENT` had been off. Needs the rights of the
   * owner.
   * @throws {StoreError}
   */
  eraseTexts(): Promise<void>;
  /** Deletes all rows of a model. @throws {StoreError} */
  deleteModel(model: string): Promise<void>;
  /** Deletes rows past their retention. @throws {StoreError} */
  deleteOld(): Promise<void>;
  /** Reads one page, newest first. @throws {StoreError} */
  logs(filter: LogFilter): Promise<Logs>;
  /** Reads the buckets of a span, including the empty ones. @throws {StoreError} */
  history(span: Span, filter: HistoryFilter, nowMs: number): Promise<HistoryPoint[]>;
  /**
   * Reads the mean samples of a span. A machine or GPU has one for each bucket with samples.
   * @throws {StoreError}
   */
  samples(span: Span, filter: Omit<HistoryFilter, "model" | "key">): Promise<MeanSamples[]>;
}

/**
 * Why a store did not carry out a statement.
 *
 * `schema`: its tables differ from the expected ones. `content`: it rejects rows because of their
 * content. `too_large`: it rejects a request of that size. Nothing was stored in these three cases.
 * `unavailable`: anything else; the statement may have been carried out.
 */
export type StoreFailure = "schema" | "content" | "too_large" | "unavailable";

/**
 * The failure of a store. Its message appears in health, logs and the page, after the store's name.
 *
 * The message contains our text and the store's error codes, never the store's text, which may
 * include a password, a connection string or a prompt.
 */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly failure: StoreFailure;
  /** How long the receiver wants to be left alone; null if it named no time. */
  readonly retryAfterMs: number | null;

  constructor(failure: StoreFailure, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.failure = failure;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Bounds one statement, in ms. A store that needs longer gets the batch again later. */
export const STATEMENT_MS = 30_000;

/**
 * Makes a bounded `fetch` that separates the store's own failures from those of a proxy before it.
 *
 * Reads the answer to its end: a timer that is still running would keep the object awake, and that
 * is billed.
 * @param isOfStore  whether the client itself interprets the failure in an answer
 */
export const storeFetch =
  (isOfStore: (response: Response) => boolean) =>
  async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), STATEMENT_MS);
    const signal = init?.signal ? AbortSignal.any([init.signal, limit.signal]) : limit.signal;
    try {
      // A redirect would send the credentials to another server.
      const response = await fetch(url, { ...init, signal, redirect: "manual" });
      const { status, headers } = response;
      if (!response.ok && !isOfStore(response)) {
        await response.body?.cancel();
        throw new StoreError(
          status === 413 ? "too_large" : "unavailable",
          `answered HTTP ${status}`,
        );
      }
      // Even an empty body is passed on: the ClickHouse client waits forever if there is no body.
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

/** Finds our failure inside an error of a store's client, wherever the client put it. */
export function storeErrorOf(error: unknown): StoreError | null {
  if (error instanceof StoreError) return error;
  if (error instanceof Error && "sourceError" in error) return storeErrorOf(error.sourceError);
  return error instanceof Error && error.cause !== undefined ? storeErrorOf(error.cause) : null;
}

/**
 * Reports a fault of this program as a failure of the store.
 *
 * The platform gives up on an alarm that fails repeatedly, so a fault in one delivery must not end
 * the alarm.
 */
export function internalFault(error: unknown): StoreError {
  console.error(error);
  return new StoreError(
    "unavailable",
    "gets no records because of a fault in the edge: see the edge's logs",
  );
}

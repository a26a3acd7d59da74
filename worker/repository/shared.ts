/**
 * The model repository in Postgres, shared with other edges and with people.
 *
 * A person's change goes to Postgres first and fails if Postgres cannot be reached: two edges that
 * both kept changes for later would have to resolve conflicts. The object keeps a copy of the last
 * state read from Postgres, and calls are served from that copy alone. Pulls are counted in the copy,
 * within the transaction of their record, and sent when Postgres can be reached. So are the entries
 * from before Postgres was configured.
 *
 * Every read and change through the API brings the copy up to date. So does the alarm, which runs
 * with every export: a default chosen elsewhere serves this edge's calls within a minute of traffic.
 */
import { isoOf } from "../answers/figures.ts";
import { STATEMENT_MS, StoreError } from "../export/external-store.ts";
import { type RepositoryCopy, storedOf } from "./copy.ts";
import type { PostgresRepository, RepositoryExchanged } from "./postgres.ts";
import type { Repository, RepositoryRead, RepositoryWrite, RepositoryWritten } from "./stored.ts";

/** The next alarm refreshes a copy older than this. Also the pause after a failure. */
const COPY_EVERY_MS = 60_000;
/** A slower read is answered from the copy. A suspended Neon project wakes faster than this. */
const READ_MS = 5_000;

export class SharedRepository implements Repository {
  readonly #copy: RepositoryCopy;
  readonly #postgres: PostgresRepository;
  /**
   * The end of the last exchange. Exchanges run one at a time, so that an older answer never
   * replaces a newer copy.
   */
  #last: Promise<unknown> = Promise.resolve();
  #reading: Promise<RepositoryExchanged> | null = null;
  #tryAtMs = 0;
  #failure: string | null = null;

  constructor(copy: RepositoryCopy, postgres: PostgresRepository) {
    this.#copy = copy;
    this.#postgres = postgres;
  }

  async read(nowMs: number): Promise<RepositoryRead> {
    try {
      const { models } = await this.#readOnce(nowMs);
      return { store: "postgres", problem: null, models: models.map(storedOf) };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const copiedAtMs = this.#copy.copiedAtMs();
      const age =
        copiedAtMs === null ? "from before it was ever reached" : `of ${isoOf(copiedAtMs)}`;
      return {
        store: "durable_object",
        problem: `postgres ${error.message}; this is the edge's copy ${age}`,
        models: this.#copy.models(),
      };
    }
  }

  async write(write: RepositoryWrite, nowMs: number): Promise<RepositoryWritten> {
    const { models, changed } = await this.#exchange(write, nowMs);
    return { store: "postgres", problem: null, models: models.map(storedOf), changed };
  }

  /**
   * Sends what is unsent and refreshes the copy, unless that was done recently. Never rejects
   * because of Postgres.
   */
  async keepUp(nowMs: number): Promise<void> {
    if (nowMs >= this.#tryAtMs) await this.read(nowMs);
  }

  /**
   * Returns when to {@link keepUp} even if nothing is exported, unix ms. Null if nothing is unsent and
   * nothing failed.
   */
  dueMs(): number | null {
    return this.#failure !== null || this.#copy.copiedAtMs() === null || this.#copy.hasUnsent()
      ? this.#tryAtMs
      : null;
  }

  /** The error of the last exchange with Postgres; null when it succeeded. */
  get failure(): string | null {
    return this.#failure;
  }

  /**
   * Shares one read among concurrent readers, so that they do not queue up at a store that hangs.
   */
  #readOnce(nowMs: number): Promise<RepositoryExchanged> {
    this.#reading ??= this.#exchange(null, nowMs).finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  #exchange(write: RepositoryWrite | null, nowMs: number): Promise<RepositoryExchanged> {
    const result = this.#last.then(() => this.#exchangeNow(write, nowMs));
    this.#last = result.catch(() => {});
    return result;
  }

  async #exchangeNow(write: RepositoryWrite | null, nowMs: number): Promise<RepositoryExchanged> {
    const unsent = this.#copy.unsent();
    this.#tryAtMs = nowMs + COPY_EVERY_MS;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), write === null ? READ_MS : STATEMENT_MS);
    try {
      const exchanged = await this.#postgres.exchange({
        edge: this.#copy.edge(),
        unsent,
        write,
        nowMs,
        signal: limit.signal,
      });
      this.#copy.replace(exchanged.models, unsent, nowMs);
      this.#failure = null;
      return exchanged;
    } catch (error) {
      if (error instanceof StoreError) this.#failure = error.message;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

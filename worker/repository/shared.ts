/**
 * The model repository where Postgres holds it, so that other edges and people share it.
 *
 * What a person says goes to Postgres first, and is said to have failed when it cannot: two edges that
 * both kept decisions for later would have to quarrel over them. The object keeps a copy of what
 * Postgres said last. Calls are served by that copy alone. Pulls are counted in it, within the
 * transaction of their record, and told to Postgres when it can be reached; so is what the edge had
 * before there was a Postgres.
 *
 * Whatever reads or changes the repository through the API brings the copy up to date. Beside that the
 * alarm does, which comes with everything that is exported: a default that was chosen elsewhere
 * serves the calls of this edge within a minute of traffic.
 */
import { isoOf } from "../answers/figures.ts";
import { STATEMENT_MS, StoreError } from "../export/external-store.ts";
import { type RepositoryCopy, storedOf } from "./copy.ts";
import type { PostgresRepository, RepositoryExchanged } from "./postgres.ts";
import type { Repository, RepositoryRead, RepositoryWrite, RepositoryWritten } from "./stored.ts";

/** A copy that is older is brought up to date by the next alarm; also the pause after a failure. */
const COPY_EVERY_MS = 60_000;
/** A read that takes longer is answered from the copy. A Neon project that slept is back by then. */
const READ_MS = 5_000;

export class SharedRepository implements Repository {
  readonly #copy: RepositoryCopy;
  readonly #postgres: PostgresRepository;
  /** What is done with Postgres, one thing after the other: an older answer must not become the copy last. */
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
      const age = copiedAtMs === null ? "before it was ever reached" : `at ${isoOf(copiedAtMs)}`;
      return {
        store: "durable_object",
        problem: `postgres ${error.message}; this is what the edge knew ${age}`,
        models: this.#copy.models(),
      };
    }
  }

  async write(write: RepositoryWrite, nowMs: number): Promise<RepositoryWritten> {
    const { models, changed } = await this.#exchange(write, nowMs);
    return { store: "postgres", problem: null, models: models.map(storedOf), changed };
  }

  /** Tells Postgres what it has yet to hear, and copies what it has, unless that was done lately. Never rejects for its sake. */
  async keepUp(nowMs: number): Promise<void> {
    if (nowMs >= this.#tryAtMs) await this.read(nowMs);
  }

  /** When to {@link keepUp} though nothing is exported, unix ms; null when nothing is left to be told, and nothing failed. */
  dueMs(): number | null {
    return this.#failure !== null || this.#copy.copiedAtMs() === null || this.#copy.hasUnsent()
      ? this.#tryAtMs
      : null;
  }

  /** The error of the last exchange with Postgres; null when it succeeded. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Who reads while somebody reads gets the same answer: readers of a store that hangs do not queue up. */
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

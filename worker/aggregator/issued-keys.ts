/**
 * The keys that the edge made: who has them and what they may do. Not the keys themselves, which
 * follow from their ids.
 *
 * The version grows with each change. Workers learn the keys with the fleet, and only if theirs is
 * older. Boxes learn the version at once, and refuse calls of Workers that have an older one. It is a
 * time, so that it also grows for Boxes that outlive an Aggregator's storage.
 */
import * as z from "zod";
import { KEYS_MAX } from "../../protocol/api/keys.ts";
import { type KeyEnds, keyEndOf } from "../keys/ends.ts";
import { IssuedKey } from "../keys/policy.ts";
import { jsonText } from "../storage/json-text.ts";
import { readMeta, writeMeta } from "../storage/meta.ts";

const VERSION = "issued_keys_version";

const Row = z.object({ key: jsonText(IssuedKey) });

export class IssuedKeys {
  readonly #storage: DurableObjectStorage;
  readonly #keys = new Map<string, IssuedKey>();
  #version: number;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    for (const row of storage.sql.exec("SELECT key FROM issued_keys ORDER BY id")) {
      const { key } = Row.parse(row);
      this.#keys.set(key.id, key);
    }
    this.#version = readMeta(storage.sql, VERSION) ?? 0;
  }

  /** 0 if there has never been a key. */
  get version(): number {
    return this.#version;
  }

  get ends(): KeyEnds {
    const ends = [...this.#keys.values()].map((key) => [key.id, keyEndOf(key)] as const);
    return { version: this.#version, ends: Object.fromEntries(ends) };
  }

  /** Returns all keys, newest first. */
  all(): IssuedKey[] {
    return [...this.#keys.values()].sort((a, b) => b.created_at_ms - a.created_at_ms);
  }

  get(id: string): IssuedKey | null {
    return this.#keys.get(id) ?? null;
  }

  get isFull(): boolean {
    return this.#keys.size >= KEYS_MAX;
  }

  /** Adds keys, or replaces them. */
  put(...keys: readonly IssuedKey[]): void {
    this.#change((sql) => {
      for (const key of keys) {
        const text = JSON.stringify(key);
        sql.exec("INSERT OR REPLACE INTO issued_keys (id, key) VALUES (?, ?)", key.id, text);
      }
    });
    for (const key of keys) this.#keys.set(key.id, key);
  }

  delete(id: string): void {
    this.#change((sql) => sql.exec("DELETE FROM issued_keys WHERE id = ?", id));
    this.#keys.delete(id);
  }

  #change(write: (sql: SqlStorage) => void): void {
    const version = Math.max(this.#version + 1, Date.now());
    this.#storage.transactionSync(() => {
      const { sql } = this.#storage;
      write(sql);
      writeMeta(sql, VERSION, version);
    });
    this.#version = version;
  }
}

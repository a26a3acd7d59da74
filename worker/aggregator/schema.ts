/**
 * The tables of the Aggregator, and how an older set of them becomes this one.
 *
 * Row writes are billed, reads almost not: so there is no secondary index, and what is read
 * together is written as one row.
 */
import { z } from "zod";

/** Applied in order, each once. Never edit one that was released; add the next. */
export const MIGRATIONS: readonly string[] = [
  `
  -- One row per finished request. The id is a UUIDv7, so the key is in order of time. Prompt and
  -- response stand last: reading the other columns does not touch the pages they overflow to.
  CREATE TABLE ledger (
    request_id TEXT PRIMARY KEY,
    started_at TEXT NOT NULL, finished_at_ms INTEGER NOT NULL,
    box TEXT, model TEXT, endpoint TEXT NOT NULL, api TEXT NOT NULL, stream INTEGER NOT NULL,
    status TEXT NOT NULL, http_status INTEGER NOT NULL, failed_at TEXT, error_message TEXT,
    prompt_tokens INTEGER, completion_tokens INTEGER, latency_ms REAL NOT NULL, ttft_ms REAL,
    queue_ms REAL, load_ms REAL, prefill_ms REAL, decode_ms REAL, done_reason TEXT,
    key_id TEXT, client_ip TEXT, user_agent TEXT, energy_j REAL, resumed INTEGER NOT NULL,
    prompt TEXT, response TEXT
  ) STRICT, WITHOUT ROWID;

  -- Ids of rows that the ledger no longer has, 16 bytes each, in slices.
  CREATE TABLE forgotten (slice INTEGER PRIMARY KEY, first_id TEXT NOT NULL, last_id TEXT NOT NULL, ids BLOB NOT NULL) STRICT;

  -- Cells. 'at' is unix seconds, 'step' the seconds a row stands for: 60, or 3600 when older.
  CREATE TABLE lifetime (model TEXT NOT NULL, box TEXT NOT NULL, cell BLOB NOT NULL, PRIMARY KEY (model, box)) STRICT, WITHOUT ROWID;
  CREATE TABLE rollup (
    step INTEGER NOT NULL, at INTEGER NOT NULL, model TEXT NOT NULL, box TEXT NOT NULL, cell BLOB NOT NULL,
    PRIMARY KEY (step, at, model, box)
  ) STRICT, WITHOUT ROWID;

  -- 'pending' are GPU samples on their way to the gpu table.
  CREATE TABLE boxes (
    name TEXT PRIMARY KEY, state TEXT NOT NULL, hello TEXT NOT NULL, connected_at_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL,
    readings TEXT, readings_at_ms INTEGER, gpus_at_ms INTEGER, pending TEXT NOT NULL, pending_since_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE gpu (at_ms INTEGER NOT NULL, box TEXT NOT NULL, samples TEXT NOT NULL, PRIMARY KEY (at_ms, box)) STRICT, WITHOUT ROWID;
  `,
  `
  -- One row of JSON: what was changed at run time.
  CREATE TABLE run_time_settings (id INTEGER PRIMARY KEY CHECK (id = 1), settings TEXT NOT NULL) STRICT;
  `,
  `
  -- Samples of the machine travel, wait and are stored with those of its GPUs.
  ALTER TABLE gpu RENAME TO samples;
  ALTER TABLE samples RENAME COLUMN samples TO gpu;
  ALTER TABLE samples ADD COLUMN system TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE boxes RENAME COLUMN pending TO pending_gpu;
  ALTER TABLE boxes ADD COLUMN pending_system TEXT NOT NULL DEFAULT '[]';
  `,
  `
  -- What people decided about models. Ids are never used again. The index holds one row at most: a second default cannot be.
  CREATE TABLE repository (
    id INTEGER PRIMARY KEY AUTOINCREMENT, model_name TEXT NOT NULL UNIQUE,
    display_name TEXT, description TEXT, category TEXT NOT NULL, size_label TEXT,
    is_favorite INTEGER NOT NULL DEFAULT 0, is_default INTEGER NOT NULL DEFAULT 0,
    download_count INTEGER NOT NULL DEFAULT 0, installed_at_ms INTEGER, created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX default_model ON repository (is_default) WHERE is_default = 1;
  `,
  `
  -- What the stores have yet to get. 'requests': ids of ledger rows, sorted, 16 bytes each. 'gpu_samples', 'system_samples': the key of a row of samples.
  CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, items INTEGER NOT NULL, ids BLOB, at_ms INTEGER, box TEXT
  ) STRICT;
  -- One row of JSON a sink: how far it is.
  CREATE TABLE sinks (name TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- Not known of rows from before. Behind the texts, where a table can grow.
  ALTER TABLE ledger ADD COLUMN edge_ms REAL;
  ALTER TABLE ledger ADD COLUMN tunnel_ms REAL;
  `,
  `
  -- Where Postgres holds the repository, this is the last known copy. 'own_downloads': those of 'download_count' that this edge counted;
  -- 'is_unsent': Postgres may not have the entry, or not all of them.
  ALTER TABLE repository ADD COLUMN own_downloads INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE repository ADD COLUMN is_unsent INTEGER NOT NULL DEFAULT 1;
  UPDATE repository SET own_downloads = download_count;
  -- One row: the name of this edge among those that share a Postgres, and when it was copied last.
  CREATE TABLE repository_copy (id INTEGER PRIMARY KEY CHECK (id = 1), edge TEXT NOT NULL, copied_at_ms INTEGER) STRICT;
  `,
];

const Meta = z.object({ value: z.number() });

/**
 * Brings the tables up to date.
 * @returns when this object's storage was made, unix ms.
 */
export function migrate(storage: DurableObjectStorage, nowMs: number): number {
  const { sql } = storage;
  return storage.transactionSync(() => {
    sql.exec(
      "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value REAL NOT NULL) STRICT, WITHOUT ROWID",
    );
    const version = readMeta(sql, "schema_version") ?? 0;
    if (version > MIGRATIONS.length)
      throw new Error(`storage has schema ${version}; this code knows ${MIGRATIONS.length}`);
    for (const migration of MIGRATIONS.slice(version)) sql.exec(migration);
    if (version < MIGRATIONS.length) writeMeta(sql, "schema_version", MIGRATIONS.length);
    const createdAtMs = readMeta(sql, "created_at_ms");
    if (createdAtMs !== null) return createdAtMs;
    writeMeta(sql, "created_at_ms", nowMs);
    return nowMs;
  });
}

export function readMeta(sql: SqlStorage, key: string): number | null {
  const [row] = sql.exec("SELECT value FROM meta WHERE key = ?", key).toArray();
  return row === undefined ? null : Meta.parse(row).value;
}

export function writeMeta(sql: SqlStorage, key: string, value: number): void {
  sql.exec(
    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    key,
    value,
  );
}

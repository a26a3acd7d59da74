/**
 * The tables of the Aggregator, and the migrations that bring older ones up to date.
 *
 * Row writes are billed and reads cost almost nothing. So no table has a secondary index, and data
 * that is read together is written as one row.
 */
import { createMeta, readMeta, writeMeta } from "../storage/meta.ts";
import { hasOlderLedger, moveOlderLedger } from "./older-ledger.ts";

/** Applied in order, each once. Never edit the SQL of a released one; add the next. */
export const MIGRATIONS: readonly string[] = [
  `
  -- One row per finished request. The id is a UUIDv7, so the key is in order of time. Prompt and
  -- response come last: reading the other columns does not touch the pages they overflow to.
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
  CREATE TABLE forgotten (slice INTEGER PRIMARY KEY, first_id TEXT NOT NULL,
    last_id TEXT NOT NULL, ids BLOB NOT NULL) STRICT;

  -- Cells. 'at' is unix seconds; 'step' is the length of the cell in seconds: 60, or 3600 for older ones.
  CREATE TABLE lifetime (model TEXT NOT NULL, box TEXT NOT NULL, cell BLOB NOT NULL,
    PRIMARY KEY (model, box)) STRICT, WITHOUT ROWID;
  CREATE TABLE rollup (
    step INTEGER NOT NULL, at INTEGER NOT NULL, model TEXT NOT NULL, box TEXT NOT NULL, cell BLOB NOT NULL,
    PRIMARY KEY (step, at, model, box)
  ) STRICT, WITHOUT ROWID;

  -- 'pending' are GPU samples on their way to the gpu table.
  CREATE TABLE boxes (
    name TEXT PRIMARY KEY, state TEXT NOT NULL, hello TEXT NOT NULL,
    connected_at_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL,
    readings TEXT, readings_at_ms INTEGER, gpus_at_ms INTEGER, pending TEXT NOT NULL, pending_since_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE gpu (at_ms INTEGER NOT NULL, box TEXT NOT NULL, samples TEXT NOT NULL,
    PRIMARY KEY (at_ms, box)) STRICT, WITHOUT ROWID;
  `,
  `
  -- One row of JSON: the settings that were changed at run time.
  CREATE TABLE run_time_settings (id INTEGER PRIMARY KEY CHECK (id = 1), settings TEXT NOT NULL) STRICT;
  `,
  `
  -- Machine samples travel, wait and are stored together with the GPU samples of the box.
  ALTER TABLE gpu RENAME TO samples;
  ALTER TABLE samples RENAME COLUMN samples TO gpu;
  ALTER TABLE samples ADD COLUMN system TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE boxes RENAME COLUMN pending TO pending_gpu;
  ALTER TABLE boxes ADD COLUMN pending_system TEXT NOT NULL DEFAULT '[]';
  `,
  `
  -- The choices that people made about models. Ids are never reused. The index has at most one
  -- row: a second default is impossible.
  CREATE TABLE repository (
    id INTEGER PRIMARY KEY AUTOINCREMENT, model_name TEXT NOT NULL UNIQUE,
    display_name TEXT, description TEXT, category TEXT NOT NULL, size_label TEXT,
    is_favorite INTEGER NOT NULL DEFAULT 0, is_default INTEGER NOT NULL DEFAULT 0,
    download_count INTEGER NOT NULL DEFAULT 0, installed_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX default_model ON repository (is_default) WHERE is_default = 1;
  `,
  `
  -- Records waiting for the external stores. 'requests': ids of ledger rows, sorted, 16 bytes
  -- each. 'gpu_samples', 'system_samples': the key of a row of samples.
  CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, items INTEGER NOT NULL, ids BLOB, at_ms INTEGER, box TEXT
  ) STRICT;
  -- One row of JSON per external store: the state of its delivery.
  CREATE TABLE sinks (name TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- Unknown for older rows. A table can only grow at its end, after the texts.
  ALTER TABLE ledger ADD COLUMN edge_ms REAL;
  ALTER TABLE ledger ADD COLUMN tunnel_ms REAL;
  `,
  `
  -- If Postgres holds the repository, this is the last known copy. 'own_downloads' is the part of
  -- 'download_count' that this edge counted.
  -- 'is_unsent': Postgres may lack the entry or some of its downloads.
  ALTER TABLE repository ADD COLUMN own_downloads INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE repository ADD COLUMN is_unsent INTEGER NOT NULL DEFAULT 1;
  UPDATE repository SET own_downloads = download_count;
  -- One row: the name of this edge among the edges that share a Postgres, and the time of the last copy.
  CREATE TABLE repository_copy (id INTEGER PRIMARY KEY CHECK (id = 1), edge TEXT NOT NULL, copied_at_ms INTEGER) STRICT;
  `,
  `
  -- Texts come last, behind a pad that keeps them off the pages of the table: see erasure.ts.
  CREATE TABLE padded (
    request_id TEXT PRIMARY KEY,
    started_at TEXT NOT NULL, finished_at_ms INTEGER NOT NULL,
    box TEXT, model TEXT, endpoint TEXT NOT NULL, api TEXT NOT NULL, stream INTEGER NOT NULL,
    status TEXT NOT NULL, http_status INTEGER NOT NULL, failed_at TEXT,
    prompt_tokens INTEGER, completion_tokens INTEGER, latency_ms REAL NOT NULL, ttft_ms REAL,
    queue_ms REAL, load_ms REAL, prefill_ms REAL, decode_ms REAL, done_reason TEXT,
    key_id TEXT, client_ip TEXT, user_agent TEXT, energy_j REAL, resumed INTEGER NOT NULL,
    edge_ms REAL, tunnel_ms REAL,
    pad BLOB, error_message TEXT, prompt TEXT, response TEXT
  ) STRICT, WITHOUT ROWID;
  INSERT INTO padded SELECT request_id, started_at, finished_at_ms, box, model, endpoint, api, stream,
    status, http_status, failed_at, prompt_tokens, completion_tokens, latency_ms, ttft_ms, queue_ms,
    load_ms, prefill_ms, decode_ms, done_reason, key_id, client_ip, user_agent, energy_j, resumed,
    edge_ms, tunnel_ms,
    CASE WHEN coalesce(error_message, prompt, response) IS NOT NULL THEN zeroblob(1002) END,
    error_message, prompt, response FROM ledger;
  UPDATE ledger SET
    prompt = substr(hex(zeroblob(length(CAST(prompt AS BLOB)))), 1, length(CAST(prompt AS BLOB))),
    response = substr(hex(zeroblob(length(CAST(response AS BLOB)))), 1, length(CAST(response AS BLOB)));
  DROP TABLE ledger;
  ALTER TABLE padded RENAME TO ledger;
  `,
  `
  -- The keys that seal requests, newest last. They never leave the edge.
  CREATE TABLE seal_keys (id TEXT PRIMARY KEY, secret TEXT NOT NULL, made_at_ms INTEGER NOT NULL) STRICT;
  -- Counts of records that no edge could have caused, by box and reason.
  CREATE TABLE untrusted (box TEXT NOT NULL, reason TEXT NOT NULL, records INTEGER NOT NULL,
    last_at_ms INTEGER NOT NULL, PRIMARY KEY (box, reason)) STRICT, WITHOUT ROWID;
  -- When the agent of the box first returned seals, unix ms.
  ALTER TABLE boxes ADD COLUMN sealed_since_ms INTEGER;
  `,
  `
  -- The energy of the GPUs of a box over all starts of its agent.
  ALTER TABLE boxes ADD COLUMN gpu_energy TEXT NOT NULL DEFAULT '[]';
  `,
  `
  -- Requests that are not in the outbox yet, because the edge may complete their records.
  CREATE TABLE held_requests (request_id TEXT PRIMARY KEY, due_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- The tariffs as JSON, each in force from its time, unix ms, until that of the next. null: none.
  CREATE TABLE tariffs (since_ms INTEGER PRIMARY KEY, tariff TEXT NOT NULL) STRICT;
  `,
  `
  -- Results of benches, as JSON. The id is that of the request, so the key is in order of time.
  CREATE TABLE bench_runs (id TEXT PRIMARY KEY, box TEXT NOT NULL, model TEXT NOT NULL,
    run TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- The energy of a box, by hours that are over, and the requests of hours that have no cells any more.
  CREATE TABLE energy_hours (at_ms INTEGER NOT NULL, box TEXT NOT NULL, hours TEXT NOT NULL,
    requests TEXT NOT NULL DEFAULT '[]', PRIMARY KEY (at_ms, box)) STRICT, WITHOUT ROWID;
  -- Sums of all of it, and of the newest hour.
  ALTER TABLE boxes ADD COLUMN energy_spent TEXT NOT NULL
    DEFAULT '{"active":{"j":0,"cost":0,"cost_j":0,"co2_g":0,"co2_j":0},"loaded":{"j":0,"cost":0,"cost_j":0,"co2_g":0,"co2_j":0},"idle":{"j":0,"cost":0,"cost_j":0,"co2_g":0,"co2_j":0},"standing":[]}';
  ALTER TABLE boxes ADD COLUMN energy_hour TEXT NOT NULL DEFAULT 'null';
  `,
  `
  -- 'stamp': the batch in which the row came. 'counted_as': 0 not counted, 1 under the name of its model, 2
  -- as 'other'. Rows with a stamp beyond the meta 'counted_to' are missing in lifetime and rollup.
  ALTER TABLE ledger ADD COLUMN stamp INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE ledger ADD COLUMN counted_as INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- The keys that the edge made, as JSON. What a person or a program sends is not here.
  CREATE TABLE issued_keys (id TEXT PRIMARY KEY, key TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- The memory that a build of a model took with a context, by Ollama's count.
  CREATE TABLE model_memory (digest TEXT NOT NULL, context_length INTEGER NOT NULL, bytes INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, PRIMARY KEY (digest, context_length)) STRICT, WITHOUT ROWID;
  `,
  `
  -- Calls that moved from box to box and have no record yet. 'record': that of a box that such a call
  -- left, as JSON, without texts.
  CREATE TABLE moves (request_id TEXT PRIMARY KEY, moved_from TEXT NOT NULL, at_ms INTEGER NOT NULL,
    record TEXT) STRICT, WITHOUT ROWID;
  `,
  `
  -- The models that boxes keep in memory, as JSON.
  CREATE TABLE pins (box TEXT NOT NULL, model TEXT NOT NULL, pin TEXT NOT NULL,
    PRIMARY KEY (box, model)) STRICT, WITHOUT ROWID;
  `,
  `
  -- The boxes that joined, and the codes to join with, as JSON. Neither keys nor codes are here.
  CREATE TABLE joined_boxes (box TEXT PRIMARY KEY, joined TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE join_codes (id TEXT PRIMARY KEY, code TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- What the keys did in an hour from 'at', unix seconds; 0: over all time. A row has many keys.
  CREATE TABLE key_hours (at INTEGER NOT NULL, part INTEGER NOT NULL, cells BLOB NOT NULL,
    PRIMARY KEY (at, part)) STRICT, WITHOUT ROWID;
  `,
  `
  -- Events. 'params' is JSON, 'last_ms' and 'count' grow if an event is repeated.
  CREATE TABLE events (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    count INTEGER NOT NULL, kind TEXT NOT NULL, box TEXT, model TEXT, params TEXT NOT NULL) STRICT;
  -- Each start of the object looks for the newest version.
  CREATE INDEX events_versions ON events (id) WHERE kind = 'edge_updated';
  `,
  `
  -- The audit log, as JSON. Nothing changes an entry.
  CREATE TABLE audit (at_ms INTEGER PRIMARY KEY, is_change INTEGER NOT NULL, entry TEXT NOT NULL) STRICT;
  CREATE TRIGGER audit_only_grows BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the entries of the audit log cannot be changed');
  END;
  -- Changes that are being made.
  CREATE TABLE audit_open (id TEXT PRIMARY KEY, opened_at_ms INTEGER NOT NULL, change TEXT NOT NULL)
    STRICT, WITHOUT ROWID;
  `,
  `
  -- Concerns that last, the targets of messages, and the messages that wait, all as JSON. What is secret
  -- about a target is encrypted.
  CREATE TABLE incidents (id TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE notification_targets (id TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE notices (id TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- The ledger, many records in one row: see ledger-page.ts. The label is longer than what SQLite keeps of a
  -- row in a page of the table, so the texts are behind it on pages of their own.
  CREATE TABLE ledger_pages (page INTEGER PRIMARY KEY, kind TEXT NOT NULL, label BLOB NOT NULL,
    heads BLOB NOT NULL, texts BLOB NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- Thresholds of concerns that an administrator has set, each a rule as JSON.
  CREATE TABLE thresholds (id TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
];

/**
 * Brings the tables up to date.
 * @returns when this object's storage was created, unix ms
 */
export function migrate(storage: DurableObjectStorage, nowMs: number): number {
  const { sql } = storage;
  return storage.transactionSync(() => {
    createMeta(sql);
    const version = readMeta(sql, "schema_version") ?? 0;
    if (version > MIGRATIONS.length)
      throw new Error(`storage has schema ${version}; this code knows ${MIGRATIONS.length}`);
    for (const migration of MIGRATIONS.slice(version)) sql.exec(migration);
    if (hasOlderLedger(sql)) moveOlderLedger(sql);
    if (version < MIGRATIONS.length) writeMeta(sql, "schema_version", MIGRATIONS.length);
    const createdAtMs = readMeta(sql, "created_at_ms");
    if (createdAtMs !== null) return createdAtMs;
    writeMeta(sql, "created_at_ms", nowMs);
    return nowMs;
  });
}

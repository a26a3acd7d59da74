/** What the stores of the Worker take from the runtime, for programs that lend them another SQLite. */

type SqlStorageCursor = Iterable<Record<string, unknown>> & {
  toArray(): Record<string, unknown>[];
  one(): Record<string, unknown>;
};

interface SqlStorage {
  exec(query: string, ...bindings: (ArrayBuffer | string | number | null)[]): SqlStorageCursor;
}

interface DurableObjectStorage {
  readonly sql: SqlStorage;
  transactionSync<T>(act: () => T): T;
}

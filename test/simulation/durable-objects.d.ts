/**
 * The part of the runtime that the Worker's stores use, for programs that give them another SQLite.
 */

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
  sync(): Promise<void>;
}
declare const scheduler: { wait(ms: number): Promise<void> };

type CryptoKey = import("node:crypto").webcrypto.CryptoKey;

/**
 * Postgres over HTTP, as Neon serves it: statements, and their failures as messages without any
 * text from the server.
 */
import { NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import * as z from "zod";
import { StoreError, storeErrorOf, storeFetch } from "../external-store.ts";
import type { PostgresSettings } from "./settings.ts";

// The driver has only this global setting, for all connections.
neonConfig.fetchFunction = storeFetch((response) => response.status === 400);

export type Statement = { sql: string; parameters: unknown[] };

export class PostgresClient {
  readonly #sql: ReturnType<typeof neon<false, false>>;

  constructor({ url, fetchEndpoint }: PostgresSettings) {
    if (fetchEndpoint !== null) neonConfig.fetchEndpoint = fetchEndpoint;
    this.#sql = neon(url);
  }

  /** @throws {StoreError} */
  run(sql: string, parameters: unknown[] = []): Promise<unknown[]> {
    return translated(this.#sql.query(sql, parameters));
  }

  /** @throws {StoreError} */
  async read<Row>(schema: z.ZodType<Row>, sql: string, parameters: unknown[] = []): Promise<Row[]> {
    return rowsOf(schema, await this.run(sql, parameters));
  }

  /**
   * Runs all statements or none; each sees the effects of the ones before it.
   * @returns the rows of each
   * @throws {StoreError}
   */
  transaction(statements: readonly Statement[], signal?: AbortSignal): Promise<unknown[][]> {
    const queries = statements.map(({ sql, parameters }) => this.#sql.query(sql, parameters));
    return translated(
      this.#sql.transaction(queries, signal === undefined ? {} : { fetchOptions: { signal } }),
    );
  }
}

/** @throws {StoreError} */
export function rowsOf<Row>(schema: z.ZodType<Row>, rows: unknown): Row[] {
  const parsed = z.array(schema).safeParse(rows);
  if (!parsed.success)
    throw new StoreError(
      "schema",
      "returned rows that this version cannot read: run npm run migrate",
    );
  return parsed.data;
}

const Json = z.object({ json: z.unknown() });

/** Parses a row that consists of one JSON column named `json`. */
export const jsonRow = <Row>(schema: z.ZodType<Row>): z.ZodType<Row> =>
  z.preprocess((row) => Json.parse(row).json, schema);

async function translated<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw storeErrorOf(error) ?? failureOf(error);
  }
}

const MESSAGES: Record<string, string> = {
  "28P01": "does not accept this user and password",
  "28000": "does not accept this user and password",
  "3D000": "has no such database",
  "42P01": "lacks a table: run npm run migrate",
  "42703": "lacks a column: run npm run migrate",
  "42501": "has not granted this user enough rights",
  "25006": "is read-only",
  "53100": "is out of disk space",
  "53300": "has too many connections",
  "57014": "cancelled a statement that took too long",
};

/**
 * Translates an error by its class: 22 is a data exception, 23 an integrity constraint, and 42 an
 * object that does not exist.
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
function failureOf(error: unknown): StoreError {
  if (!(error instanceof NeonDbError))
    return new StoreError("unavailable", "gave an answer that does not come from Postgres");
  const code = /^[0-9A-Z]{5}$/.test(error.code ?? "") ? error.code : undefined;
  if (code === undefined) {
    // Neon's proxy reports these as text without a code.
    if (/password authentication failed/i.test(error.message))
      return new StoreError("unavailable", MESSAGES["28P01"] ?? "");
    if (/quota/i.test(error.message)) return new StoreError("unavailable", "has used up its quota");
    return new StoreError("unavailable", "rejected a statement without an error code");
  }
  if (/^2[23]/.test(code))
    return new StoreError(
      "content",
      `rejected rows because of their content (Postgres error ${code})`,
    );
  const isSchema = code === "42P01" || code === "42703" || code === "42804";
  return new StoreError(
    isSchema ? "schema" : "unavailable",
    `${MESSAGES[code] ?? "rejected a statement"} (Postgres error ${code})`,
  );
}

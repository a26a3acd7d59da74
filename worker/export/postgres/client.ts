/**
 * Postgres over HTTP, as Neon serves it: statements, and what is wrong with them in our words.
 */
import { NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import { z } from "zod";
import { StoreError, storeErrorOf, storeFetch } from "../external-store.ts";
import type { PostgresSettings } from "../settings.ts";

// Of all connections: the driver knows no other way.
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
    return told(this.#sql.query(sql, parameters));
  }

  /** @throws {StoreError} */
  async read<Row>(schema: z.ZodType<Row>, sql: string, parameters: unknown[] = []): Promise<Row[]> {
    return rowsOf(schema, await this.run(sql, parameters));
  }

  /** All of them or none, each seeing what those before it did. @returns the rows of each. @throws {StoreError} */
  transaction(statements: readonly Statement[], signal?: AbortSignal): Promise<unknown[][]> {
    const queries = statements.map(({ sql, parameters }) => this.#sql.query(sql, parameters));
    return told(
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
      "answered something that this version does not read: run npm run migrate",
    );
  return parsed.data;
}

const Json = z.object({ json: z.unknown() });

/** A row that is one column of JSON, `json`. */
export const jsonRow = <Row>(schema: z.ZodType<Row>): z.ZodType<Row> =>
  z.preprocess((row) => Json.parse(row).json, schema);

async function told<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw storeErrorOf(error) ?? failureOf(error);
  }
}

const WORDS: Record<string, string> = {
  "28P01": "knows no such user, or another password",
  "28000": "knows no such user, or another password",
  "3D000": "has no such database",
  "42P01": "lacks a table: run npm run migrate",
  "42703": "lacks a column: run npm run migrate",
  "42501": "gives this user not enough grants",
  "25006": "only lets itself be read",
  "53100": "is out of disk space",
  "53300": "has too many connections",
  "57014": "gave up on a statement that took too long",
};

/** Classes: 22 data exception, 23 integrity constraint, 42 what is named does not exist. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
function failureOf(error: unknown): StoreError {
  if (!(error instanceof NeonDbError))
    return new StoreError("unavailable", "answered something that is not Postgres's");
  const code = /^[0-9A-Z]{5}$/.test(error.code ?? "") ? error.code : undefined;
  if (code === undefined) {
    // Said by Neon's proxy, in words alone.
    if (/password authentication failed/i.test(error.message))
      return new StoreError("unavailable", WORDS["28P01"] ?? "");
    if (/quota/i.test(error.message)) return new StoreError("unavailable", "has used up its quota");
    return new StoreError("unavailable", "refused a statement, and gave no code");
  }
  if (/^2[23]/.test(code))
    return new StoreError("content", `refused rows for their content (Postgres error ${code})`);
  const isSchema = code === "42P01" || code === "42703" || code === "42804";
  return new StoreError(
    isSchema ? "schema" : "unavailable",
    `${WORDS[code] ?? "refused a statement"} (Postgres error ${code})`,
  );
}

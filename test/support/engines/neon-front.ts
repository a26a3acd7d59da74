/**
 * Neon's SQL over HTTP in front of a real Postgres, as a program. It implements the part that
 * `@neondatabase/serverless` uses.
 *
 * It lacks projects that sleep, branches, Neon's pooling, JWTs and WebSockets. Statements,
 * types, grants and error codes are Postgres's own; the limits of body and answer are the proxy's.
 *
 * @see https://github.com/neondatabase/neon/tree/main/proxy/src/serverless
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import * as z from "zod";
import { bodyOf, Faults, lose } from "./faults.ts";
import { POSTGRES } from "./install.ts";
import { listening } from "./listening.ts";
import { startPostgres } from "./postgres.ts";

/** The part of `pg` that is used. */
type Field = { name: string; dataTypeID: number };
type Result = {
  fields: Field[];
  rows: (string | null)[][];
  command: string;
  rowCount: number | null;
};
type Client = { query(query: object | string): Promise<Result>; release(isBroken: boolean): void };
type Pool = {
  connect(): Promise<Client>;
  end(): Promise<void>;
  on(event: "error", listener: () => void): void;
};

/** The proxy's limits on the bytes of a request and of an answer. */
const BODY_BYTES_MAX = 10 * 1024 * 1024;

const Query = z.object({ query: z.string(), params: z.array(z.unknown()).default([]) });
const Body = z.union([z.object({ queries: z.array(Query) }), Query]);

class ProxyError extends Error {
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

const [cache, folder, user, password] = process.argv.slice(2);
if (cache === undefined || folder === undefined || user === undefined || password === undefined)
  throw new Error("usage: neon-front.ts CACHE DATA_FOLDER USER PASSWORD");
const bin = join(cache, POSTGRES, "native/bin");
const pg: { Pool: new (options: object) => Pool } = createRequire(join(cache, "package.json"))(
  "pg",
);

const faults = new Faults();
const postgres = await startPostgres(bin, folder, user, password);
const pools = new Map<string, Pool>();

function poolOf(connection: string | undefined): Pool {
  if (connection === undefined || !URL.canParse(connection))
    throw new ProxyError("invalid connection string");
  const known = pools.get(connection);
  if (known !== undefined) return known;
  const { username, password, pathname } = new URL(connection);
  const database = decodeURIComponent(pathname.slice(1));
  const who = {
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database,
  };
  const pool = new pg.Pool({
    host: "127.0.0.1",
    port: postgres.port,
    ...who,
    max: 10,
    allowExitOnIdle: true,
  });
  pool.on("error", () => {});
  pools.set(connection, pool);
  return pool;
}

/** Converts parameters to Postgres's text format. Arrays are not used. */
const textOf = (value: unknown): unknown =>
  value === null || typeof value === "string" ? value : JSON.stringify(value);

async function run(client: Client, { query, params }: z.infer<typeof Query>): Promise<object> {
  const types = { getTypeParser: () => (text: string) => text };
  const result = await client.query({
    text: query,
    values: params.map(textOf),
    rowMode: "array",
    types,
    queryMode: "extended",
  });
  const fields = result.fields.map(({ name, dataTypeID }) => ({
    name,
    dataTypeID,
    format: "text",
  }));
  return {
    fields,
    rows: result.rows,
    command: result.command,
    rowCount: result.rowCount,
    rowAsArray: true,
  };
}

async function transaction(client: Client, queries: z.infer<typeof Query>[]): Promise<object> {
  await client.query("BEGIN");
  try {
    const results = [];
    for (const query of queries) results.push(await run(client, query));
    await client.query("COMMIT");
    return { results };
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const bytes = await bodyOf(request);
  if (bytes.length > BODY_BYTES_MAX)
    throw new ProxyError(`request is too large (max is ${BODY_BYTES_MAX} bytes)`, 413);
  const json: unknown = JSON.parse(bytes.toString());
  // The proxy's parser rejects some texts that JSON.parse accepts.
  if (!JSON.stringify(json).isWellFormed() || /\\ud[89a-f]/i.test(JSON.stringify(json)))
    throw new ProxyError("lone surrogate in hex escape");
  const body = Body.parse(json);
  const queries = "queries" in body ? body.queries : [body];
  const fault = await faults.next(queries.map(({ query }) => query).join("; "));
  if (fault?.drop === "before") return void request.socket.destroy();
  if (fault?.status !== undefined && fault.drop !== "after")
    return void response.writeHead(fault.status).end("<html>from a proxy</html>");
  if (fault?.code !== undefined)
    throw Object.assign(new Error("requested by a test"), { code: fault.code, severity: "ERROR" });
  const client = await poolOf(request.headers["neon-connection-string"]?.toString()).connect();
  let isBroken = true;
  try {
    const result =
      "queries" in body ? await transaction(client, body.queries) : await run(client, body);
    isBroken = false;
    if (fault?.drop === "after") return lose(fault, request, response);
    const text = JSON.stringify(result);
    if (text.length > BODY_BYTES_MAX) throw new ProxyError("response is too large", 507);
    response.setHeader("content-type", "application/json");
    response.end(text);
  } finally {
    client.release(isBroken);
  }
}

const Failure = z.object({
  message: z.string(),
  code: z.string().default(""),
  severity: z.string().default(""),
  detail: z.string().optional(),
});

function fail(response: ServerResponse, error: unknown): void {
  const failure = Failure.parse(error);
  const status = error instanceof ProxyError ? error.status : failure.severity === "" ? 500 : 400;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(failure));
}

const server = createServer((request, response) => {
  faults
    .serve(request, response)
    .then((isServed) => (isServed ? undefined : answer(request, response)))
    .catch((error: unknown) => fail(response, error));
});
await listening(server, async () => {
  await Promise.all([...pools.values()].map((pool) => pool.end()));
  await postgres.stop();
});

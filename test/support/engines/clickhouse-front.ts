/**
 * ClickHouse's HTTP interface in front of the real engine (`chdb`), as a program. It implements
 * the part that `@clickhouse/client-web` uses.
 *
 * It lacks named sessions, compression, multipart parameters, further users, grants, quotas (a
 * fault
 * simulates them) and replication. Statements, types, settings, tokens, views and error codes are
 * the
 * engine's own.
 *
 * @see https://github.com/ClickHouse/ClickHouse/blob/master/src/Server/HTTPHandler.cpp
 * @see https://github.com/ClickHouse/ClickHouse/blob/master/src/Server/HTTP/exceptionCodeToHTTPStatus.cpp
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { bodyOf, Faults, lose } from "./faults.ts";
import { listening } from "./listening.ts";

/** The part of chdb that is used. */
type Session = {
  queryAsync(
    query: string,
    options?: { format: string },
  ): Promise<{ text(): string; bytes(): Uint8Array }>;
  insert(batch: { table: string; format: string; values: Buffer }): Promise<unknown>;
  close(): void;
};

class ClickHouseError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(`Code: ${code}. DB::Exception: ${message}`);
    this.code = code;
  }
}

/** Parameters of the URL that are not settings. */
const RESERVED = new Set([
  "query",
  "database",
  "default_format",
  "query_id",
  "user",
  "password",
  "wait_end_of_query",
]);
const INSERT = /^\s*INSERT\s+INTO\s+(\w+)\s+(?:\([^)]*\)\s+)?FORMAT\s+(JSONEachRow)\s*$/i;

const quoted = (text: string): string =>
  `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
const identifier = (name: string): string => `\`${name.replaceAll("`", "\\`")}\``;

const [cache, path, user, password] = process.argv.slice(2);
if (cache === undefined || path === undefined || user === undefined || password === undefined)
  throw new Error("usage: clickhouse-front.ts CACHE DATA_FOLDER USER PASSWORD");
const chdb: { Session: new (path: string) => Session } = createRequire(join(cache, "package.json"))(
  "chdb",
);

const faults = new Faults();
const open = () => new chdb.Session(path);
// Keeps the engine alive between calls.
const anchor = open();
await anchor.queryAsync("SELECT 1");

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { searchParams } = new URL(request.url ?? "/", "http://front");
  const body = await bodyOf(request);
  const query = searchParams.get("query") ?? body.toString();
  const rows = searchParams.has("query") ? body : null;
  const fault = await faults.next(query);
  if (fault?.drop === "before") return void request.socket.destroy();
  if (fault?.status !== undefined && fault.drop !== "after")
    return void response.writeHead(fault.status).end("<html>from a proxy</html>");
  if (fault?.code !== undefined)
    throw new ClickHouseError(fault.code, "requested by a test (FAULT)");
  authenticate(request);
  // Each request has its own session, so settings, parameters and the database do not leak.
  const session = open();
  try {
    const database = searchParams.get("database") ?? "default";
    if (database !== "default") await session.queryAsync(`USE ${identifier(database)}`);
    // This is the engine of clickhouse-local, which accepts a query without SELECT; a server does
    // not.
    const settings = ["implicit_select=0"];
    for (const [name, value] of searchParams)
      if (!RESERVED.has(name)) settings.push(`${identifier(name)}=${quoted(value)}`);
    await session.queryAsync(`SET ${settings.join(", ")}`);
    const insert = rows === null ? null : INSERT.exec(query);
    if (insert?.[1] !== undefined && insert[2] !== undefined && rows !== null) {
      await session.insert({ table: insert[1], format: insert[2], values: rows });
      if (fault?.drop === "after") return lose(fault, request, response);
      response.end();
    } else {
      // This rejects two statements in one, as a server does.
      if (!/^\s*INSERT/i.test(query))
        await session.queryAsync(`SELECT formatQuerySingleLine(${quoted(query)})`);
      const result = await session.queryAsync(query, {
        format: searchParams.get("default_format") ?? "TabSeparated",
      });
      if (fault?.drop === "after") return lose(fault, request, response);
      response.end(result.bytes());
    }
  } finally {
    session.close();
  }
}

function authenticate(request: IncomingMessage): void {
  const expected = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  if (request.headers.authorization !== expected)
    throw new ClickHouseError(
      "516",
      `${user}: Authentication failed: password is incorrect (AUTHENTICATION_FAILED)`,
    );
}

function fail(response: ServerResponse, error: Error): void {
  const code = /^Code: (\d+)\. /.exec(error.message)?.[1] ?? "1001";
  const message = error.message.startsWith("Code: ")
    ? error.message
    : `Code: ${code}. DB::Exception: ${error.message} (STD_EXCEPTION)`;
  response
    .writeHead(statusOf(code), { "X-ClickHouse-Exception-Code": code })
    .end(`${message} (version front)\n`);
}

const STATUSES: Record<string, number> = {
  516: 403,
  497: 403,
  60: 404,
  81: 404,
  16: 404,
  6: 400,
  27: 400,
  62: 400,
  117: 400,
  53: 400,
  159: 408,
};
const statusOf = (code: string): number => STATUSES[code] ?? 500;

const server = createServer((request, response) => {
  faults
    .serve(request, response)
    .then((isServed) => (isServed ? undefined : answer(request, response)))
    .catch((error: Error) => fail(response, error));
});
await listening(server);

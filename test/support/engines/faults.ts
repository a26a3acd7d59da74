/**
 * Faults that a test asks a front for, over HTTP, since tests run in another process than the engines.
 *
 * `POST /faults` with a list replaces what was asked for before. Each fault hits the next `times`
 * statements that `match` it. `GET /statements` says which statements came since then.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { Fault } from "./fault.ts";

export class Faults {
  #faults: Fault[] = [];
  #statements: string[] = [];

  /** Serves the test's own calls. @returns false when it is none of them. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (request.url === "/faults" && request.method === "POST") {
      this.#faults = z.array(Fault).parse(JSON.parse((await bodyOf(request)).toString()));
      this.#statements = [];
      response.end("{}");
    } else if (request.url === "/statements") response.end(JSON.stringify(this.#statements));
    else return false;
    return true;
  }

  /** The fault that hits a statement, after its delay. */
  async next(statement: string): Promise<Fault | undefined> {
    this.#statements.push(statement);
    const fault = this.#faults.find(
      ({ match, times }) => times > 0 && (match === undefined || statement.includes(match)),
    );
    if (fault === undefined) return undefined;
    fault.times--;
    await sleep(fault.delayMs);
    return fault;
  }
}

/** What was carried out is not told. */
export function lose({ status }: Fault, request: IncomingMessage, response: ServerResponse): void {
  if (status === undefined) request.socket.destroy();
  else response.writeHead(status).end("<html>said by a proxy</html>");
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

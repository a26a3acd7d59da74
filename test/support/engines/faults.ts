/**
 * Faults that a test sets in a front over HTTP, since tests and engines run in different processes.
 *
 * `POST /faults` with a list replaces the earlier faults. Each fault hits the next `times`
 * statements
 * that `match` it. `GET /statements` returns the statements since then.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { Fault } from "./fault.ts";

export class Faults {
  #faults: Fault[] = [];
  #statements: string[] = [];

  /** Serves requests that control the faults. @returns false for any other request */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (request.url === "/faults" && request.method === "POST") {
      this.#faults = z.array(Fault).parse(JSON.parse((await bodyOf(request)).toString()));
      this.#statements = [];
      response.end("{}");
    } else if (request.url === "/statements") response.end(JSON.stringify(this.#statements));
    else return false;
    return true;
  }

  /** Returns the fault that hits a statement, after its delay. */
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

/** Loses the answer to a statement that may have been carried out. */
export function lose({ status }: Fault, request: IncomingMessage, response: ServerResponse): void {
  if (status === undefined) request.socket.destroy();
  else response.writeHead(status).end("<html>from a proxy</html>");
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

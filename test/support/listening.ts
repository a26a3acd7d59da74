/** A listener in front of an Ollama, in this process. Its records are read from its own spool. */
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CloudGuard } from "../../agent/cloud/cloud-guard.ts";
import type { ConnectionLimits } from "../../agent/listen/connection-limits.ts";
import { urlOf } from "../../agent/listen/listen-address.ts";
import { CLOCKS, Listener } from "../../agent/listen/listener.ts";
import { EnergyMeter } from "../../agent/measure/energy.ts";
import type { Redact } from "../../agent/redact/redaction.ts";
import type { MemoryNews } from "../../agent/request/memory-news.ts";
import { turnsOf } from "../../agent/request/turn.ts";
import { Spool } from "../../agent/spool/spool.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { eventually } from "./stack.ts";

export type Answer = {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
  isComplete: boolean;
};

export type ListeningPlan = {
  host?: string;
  port?: number;
  records?: boolean;
  keepsText?: boolean;
  allowsServerTools?: boolean;
  limits?: Partial<ConnectionLimits>;
  redact?: Redact | null;
};

export class Listening implements AsyncDisposable {
  readonly url: string;
  readonly listener: Listener;
  readonly memory: MemoryNews;
  readonly #spool: Spool | null;
  /** The folder of the spool. */
  readonly folder: string;

  private constructor(
    url: string,
    listener: Listener,
    memory: MemoryNews,
    spool: Spool | null,
    folder: string,
  ) {
    this.url = url;
    this.listener = listener;
    this.memory = memory;
    this.#spool = spool;
    this.folder = folder;
  }

  static async start(ollamaUrl: string, plan: ListeningPlan = {}): Promise<Listening> {
    const { host = "127.0.0.1", port = 0, records = true, keepsText = true } = plan;
    const { allowsServerTools = false, limits = {}, redact = null } = plan;
    const folder = mkdtempSync(join(tmpdir(), "listening-"));
    const log = () => {};
    const spool = records ? Spool.open(folder, { now: Date.now, log, redact }) : null;
    const turns = turnsOf(null);
    const listener = new Listener({
      ...CLOCKS,
      box: "b",
      ollamaUrl: new URL(ollamaUrl),
      spool,
      energy: new EnergyMeter(),
      ...turns,
      guard: new CloudGuard({
        ...CLOCKS,
        ollamaUrl: new URL(ollamaUrl),
        allowsServerTools,
        patience: turns.patience,
      }).decide,
      log,
      keepsText: () => keepsText,
      limits,
      forbidsText: () => !keepsText,
      onOver: () => {},
    });
    try {
      const url = urlOf(await listener.listen({ host, port }));
      return new Listening(url, listener, turns.memory, spool, folder);
    } catch (error) {
      spool?.close();
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Returns every record so far, oldest first. */
  records(): RequestRecord[] {
    return this.#spool?.next(1_000)?.records ?? [];
  }

  /** Waits for the record of an answer. */
  recordOf(answer: { headers: http.IncomingHttpHeaders | Headers }): Promise<RequestRecord> {
    const { headers } = answer;
    const id = headers instanceof Headers ? headers.get("x-request-id") : headers["x-request-id"];
    return eventually(async () => this.records().find(({ request_id }) => request_id === id));
  }

  /** Sends exactly these headers. `fetch` would add some, and hides how an answer ends. */
  call(
    method: string,
    path: string,
    body: string | Uint8Array | null = null,
    headers: http.OutgoingHttpHeaders = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = http.request(
        this.url,
        { method, path, headers, agent: false },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", () => {}); // a broken answer is reported by `isComplete`
          response.on("close", () => {
            const { statusCode: status = 0, headers: answered, complete: isComplete } = response;
            resolve({
              status,
              headers: answered,
              text: Buffer.concat(chunks).toString(),
              isComplete,
            });
          });
        },
      );
      request.on("error", reject);
      request.end(body === null ? null : Buffer.from(body)); // given a string, Node would write the head as UTF-8 too
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.stop();
    this.#spool?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Refuses requests that Ollama would forward to ollama.com, on the account of this box's owner:
 * cloud models, copies of them under another name, and tools that Ollama runs itself.
 *
 * The agent decides, because only Ollama's own list shows which of its models are cloud models.
 */
import { setTimeout as delay } from "node:timers/promises";
import { fullModelName, isCloudModel } from "../../protocol/model-name.ts";
import type { Guard, Refusal } from "../request/guard.ts";
import { OllamaPatience, waitsForOllama } from "../request/patience.ts";
import { ModelOrigins } from "./model-origins.ts";

export type CloudGuardOptions = {
  ollamaUrl: URL;
  /** The owner lets callers use the tools that run on ollama.com. */
  allowsServerTools: boolean;
  /** Shared with those who send the requests. */
  patience?: OllamaPatience;
  /** Monotonic ms. */
  now: () => number;
};

/** Calls whose model need not be installed, or that only remove it from this disk. */
const WITHOUT_MODEL: ReadonlySet<string> = new Set(["/api/pull", "/api/create", "/api/delete"]);

/** Calls in which Ollama runs tools itself. */
const RUNS_TOOLS: ReadonlySet<string> = new Set(["/v1/messages", "/v1/responses"]);

/** How much of a name an error repeats. */
const SHOWN_CHARS_MAX = 200;

export class CloudGuard {
  readonly #allowsServerTools: boolean;
  readonly #origins: ModelOrigins;
  readonly #patience: OllamaPatience;
  readonly #now: () => number;

  constructor({ ollamaUrl, allowsServerTools, patience, now }: CloudGuardOptions) {
    this.#allowsServerTools = allowsServerTools;
    this.#patience = patience ?? new OllamaPatience();
    this.#now = now;
    this.#origins = new ModelOrigins(ollamaUrl, now);
  }

  /** Takes an answer to `/api/tags` that was read for another purpose. */
  learn(answer: unknown): void {
    this.#origins.learn(answer);
  }

  /** Decides about one request. A field, so that it can be passed on alone. */
  readonly decide: Guard = (open, body) => {
    const { endpoint, model } = open;
    if (!this.#allowsServerTools && body !== null && RUNS_TOOLS.has(endpoint)) {
      // Nobody knows the tools of a body that could not be read to its end.
      if (!body.scan.ok) return { reason: "bad_request", detail: body.scan.detail };
      if (body.serverTool !== null) return { reason: "server_tool", tool: body.serverTool };
    }
    if (model === null || model === "") return null; // Ollama's own error is exact
    const shown = model.slice(0, SHOWN_CHARS_MAX);
    if (isCloudModel(model)) return { reason: "cloud_model", model: shown };
    const fullName = fullModelName(model);
    if (fullName === null)
      return {
        reason: "bad_request",
        detail: `${JSON.stringify(shown)} is not a valid name of a model.`,
      };
    if (WITHOUT_MODEL.has(endpoint) || this.#origins.isLocal(fullName)) return null;
    return this.#readAgain(fullName, shown, waitsForOllama(open));
  };

  /** Waits for an Ollama that is being restarted, as the request itself would. */
  async #readAgain(fullName: string, shown: string, isPatient: boolean): Promise<Refusal | null> {
    for (;;) {
      const found = await this.#origins.readAgain(fullName);
      // A model that is not installed goes on, and Ollama answers 404.
      if (found.isKnown)
        return found.origin === "cloud" ? { reason: "cloud_model", model: shown } : null;
      const waitMs = found.isRefused ? this.#patience.refused(this.#now(), isPatient) : null;
      if (waitMs === null) return { reason: "ollama_unreachable", message: found.reason };
      await delay(waitMs, undefined, { ref: false });
    }
  }
}

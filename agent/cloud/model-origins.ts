/**
 * The models that this Ollama lists, and where each of them runs. Keeps the answer to `/api/tags`
 * that the inventory poller reads anyway, and reads the list itself if a name is missing in it.
 */
import * as z from "zod";
import { fullModelName } from "../../protocol/model-name.ts";
import { getFromOllama } from "../readings/inventory-fetch.ts";

/** `cloud`: a stub, or a copy of one, whose requests Ollama forwards to its `remote_host`. */
export type Origin = "local" | "cloud";

export type OriginOfModel =
  | { isKnown: true; origin: Origin | null }
  /** The list could not be read, so nothing is known about this name. */
  | ({ isKnown: false } & Unread);

/** Why the list could not be read. `isRefused`: nothing is listening, as during a restart. */
type Unread = { reason: string; isRefused: boolean };

const text = z.string().catch("").default("");
const Listing = z.object({ models: z.array(z.unknown()).nullable() });
const Listed = z.object({ name: text, model: text, remote_host: text, remote_model: text });

const TIMEOUT_MS = 5_000;
/**
 * A list that is older than this is read again before it vouches for a model: the name may have
 * been given to a copy of a cloud model since. The poller reads it twice as often.
 */
const FRESH_MS = 60_000;

export class ModelOrigins {
  readonly #base: URL;
  readonly #now: () => number;
  #origins: ReadonlyMap<string, Origin> = new Map();
  #readMs = Number.NEGATIVE_INFINITY;
  /** The read in progress, and one that waits for it: reads never overlap. */
  #current: Promise<Unread | null> | null = null;
  #next: Promise<Unread | null> | null = null;

  /** @param now  monotonic ms */
  constructor(base: URL, now: () => number) {
    this.#base = base;
    this.#now = now;
  }

  /** Takes an answer to `/api/tags`. Returns false, and keeps nothing, if it is not a list. */
  learn(answer: unknown): boolean {
    const origins = originsOf(answer);
    if (origins === null) return false;
    this.#origins = origins;
    this.#readMs = this.#now();
    return true;
  }

  /** Returns whether a recent list has this model as a local one. */
  isLocal(fullName: string): boolean {
    return this.#now() - this.#readMs < FRESH_MS && this.#origins.get(fullName) === "local";
  }

  /** Reads the list again, then returns the origin; null if the model is not installed. */
  async readAgain(fullName: string): Promise<OriginOfModel> {
    const unread = await this.#read();
    const origin = this.#origins.get(fullName) ?? null;
    // A name that was a cloud model in an older list stays one. No other old answer counts.
    if (unread !== null && origin !== "cloud") return { isKnown: false, ...unread };
    return { isKnown: true, origin };
  }

  /** Begins a read after this call. Resolves with null once it is read. */
  #read(): Promise<Unread | null> {
    if (this.#current === null) return this.#begin();
    this.#next ??= this.#current.then(() => {
      this.#next = null;
      return this.#begin();
    });
    return this.#next;
  }

  #begin(): Promise<Unread | null> {
    this.#current = getFromOllama(this.#base, "/api/tags", TIMEOUT_MS).then((answer) => {
      this.#current = null;
      if (!answer.ok) return answer;
      if (this.learn(answer.body)) return null;
      return { reason: "Ollama's answer to /api/tags is not a list of models", isRefused: false };
    });
    return this.#current;
  }
}

function originsOf(answer: unknown): Map<string, Origin> | null {
  const listing = Listing.safeParse(answer);
  if (!listing.success) return null;
  const origins = new Map<string, Origin>();
  for (const item of listing.data.models ?? []) {
    const listed = Listed.safeParse(item);
    if (!listed.success) continue;
    const { name, model, remote_host, remote_model } = listed.data;
    const fullName = fullModelName(name || model);
    if (fullName === null) continue;
    origins.set(fullName, remote_host === "" && remote_model === "" ? "local" : "cloud");
  }
  return origins;
}

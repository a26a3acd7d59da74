/**
 * Slows down those who guess keys or box secrets, by address and in each isolate. Its memory is
 * bounded.
 *
 * A correct key is not delayed by the guesses of others at its address. It is refused only while ten
 * of them wait, because guessing would otherwise be parallel.
 */
import { GatewayError } from "./errors.ts";

/**
 * Wrong keys that an address may send at full speed, in each window. People mistype, scripts loop.
 */
const FREE = 10;
const WINDOW_MS = 60_000;
/** How long each further wrong key waits for its answer. */
export const WAIT_MS = 1_000;
/** Wrong keys of one address that wait at the same time; more are refused without a comparison. */
const WAITING_MAX = 10;
/** Addresses remembered; the oldest is forgotten first. */
const ADDRESSES_MAX = 10_000;

type Guesses = { fromMs: number; count: number; waiting: number };

export class WrongKeys {
  readonly #of = new Map<string, Guesses>();

  get size(): number {
    return this.#of.size;
  }

  /** @throws {GatewayError} `guessing_keys` while too many guesses of the address wait */
  admit(address: string): void {
    if ((this.#of.get(address)?.waiting ?? 0) >= WAITING_MAX)
      throw new GatewayError({ reason: "guessing_keys" });
  }

  /**
   * Notes a wrong key. Resolves when it may be answered.
   * @throws {GatewayError} `guessing_keys`
   */
  async note(address: string, nowMs: number, wait: (ms: number) => Promise<void>): Promise<void> {
    const guesses = this.#of.get(address) ?? { fromMs: nowMs, count: 0, waiting: 0 };
    this.#remember(address, guesses);
    if (nowMs - guesses.fromMs > WINDOW_MS) Object.assign(guesses, { fromMs: nowMs, count: 0 });
    if (++guesses.count <= FREE) return;
    this.admit(address); // others may have begun to wait since the comparison began
    guesses.waiting++;
    try {
      await wait(WAIT_MS);
    } finally {
      guesses.waiting--;
    }
  }

  #remember(address: string, guesses: Guesses): void {
    this.#of.delete(address);
    this.#of.set(address, guesses);
    const [oldest] = this.#of.keys();
    if (this.#of.size > ADDRESSES_MAX && oldest !== undefined) this.#of.delete(oldest);
  }
}

/** The guesses that this isolate has seen. */
const wrongKeys = new WrongKeys();

/**
 * Returns the result of a comparison; null, later the more often it was null for the address.
 * @throws {GatewayError} `guessing_keys`
 */
export async function withoutGuesses<Found>(
  request: Request,
  compare: () => Promise<Found | null>,
): Promise<Found | null> {
  const address = request.headers.get("cf-connecting-ip"); // null only off Cloudflare
  if (address !== null) wrongKeys.admit(address);
  const found = await compare();
  if (found === null && address !== null)
    await wrongKeys.note(address, Date.now(), (ms) => scheduler.wait(ms));
  return found;
}

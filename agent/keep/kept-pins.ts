/**
 * The pins of this box on its disk, so that an agent that starts while the edge is away keeps its models in
 * memory. The edge sends them again with each tunnel, and its pins count.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { PINS_PER_BOX_MAX, Pin } from "../../protocol/pin.ts";
import type { Log } from "../log.ts";
import { writeDurably } from "../state/durable-file.ts";

const Pins = z.array(Pin).max(PINS_PER_BOX_MAX);

export class KeptPins {
  readonly #path: string;
  readonly #log: Log;
  #written = "";

  constructor(stateDir: string, log: Log) {
    this.#path = join(stateDir, "pins.json");
    this.#log = log;
  }

  /** Returns the pins of the last run; null without them, or if the file is damaged. */
  read(): readonly Pin[] | null {
    try {
      const text = readFileSync(this.#path, "utf8");
      const pins = Pins.parse(JSON.parse(text));
      this.#written = text;
      return pins;
    } catch {
      return null; // the edge sends them
    }
  }

  /** Keeps the pins that the edge has sent. A full disk loses only the next start without an edge. */
  write(pins: readonly Pin[]): void {
    const text = JSON.stringify(pins);
    if (text === this.#written) return;
    try {
      writeDurably(this.#path, text);
      this.#written = text;
    } catch (error) {
      this.#log("warn", "pins_not_kept", { error });
    }
  }
}

/** The pins of the boxes: few rows, which stay until somebody removes them or their box. */
import * as z from "zod";
import { Pin } from "../../protocol/pin.ts";
import type { KeptPin } from "../answers/pins.ts";
import { jsonText } from "../storage/json-text.ts";

const Kept = Pin.extend({ created_at_ms: z.number() });
const Row = z.object({ box: z.string(), pin: jsonText(Kept) });

export class PinStore {
  readonly #sql: SqlStorage;
  readonly #pins = new Map<string, Map<string, KeptPin>>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    for (const row of sql.exec("SELECT box, pin FROM pins ORDER BY box, model")) {
      const { box, pin } = Row.parse(row);
      this.#of(box).set(pin.model, pin);
    }
  }

  /** Returns the pins of a box in order of model. */
  of(box: string): KeptPin[] {
    const pins = [...(this.#pins.get(box)?.values() ?? [])];
    return pins.sort((a, b) => (a.model < b.model ? -1 : 1));
  }

  put(box: string, pin: KeptPin): void {
    const text = JSON.stringify(pin);
    this.#sql.exec(
      "INSERT OR REPLACE INTO pins (box, model, pin) VALUES (?, ?, ?)",
      box,
      pin.model,
      text,
    );
    this.#of(box).set(pin.model, pin);
  }

  /** Returns whether there was one. */
  remove(box: string, model: string): boolean {
    if (this.#pins.get(box)?.has(model) !== true) return false;
    this.#sql.exec("DELETE FROM pins WHERE box = ? AND model = ?", box, model);
    this.#pins.get(box)?.delete(model);
    return true;
  }

  forgetBox(box: string): void {
    if (!this.#pins.has(box)) return;
    this.#sql.exec("DELETE FROM pins WHERE box = ?", box);
    this.#pins.delete(box);
  }

  #of(box: string): Map<string, KeptPin> {
    const pins = this.#pins.get(box) ?? new Map<string, KeptPin>();
    this.#pins.set(box, pins);
    return pins;
  }
}

/** The edge's clock and its settings, as its WELCOME and SETTINGS frames report them. */
import type { EdgeSettings, ExporterType, Welcome } from "../../protocol/messages.ts";
import { steadyClock } from "../clock/steady-clock.ts";
import type { Log } from "../log.ts";

export class EdgeTerms {
  readonly #log: Log;
  #expectedExporter: ExporterType | null;
  /** This machine's clock until the first welcome, then the edge's. */
  #clock = steadyClock(Date.now());
  #keepsText = true;
  #forbidsText = false;

  /** @param expectedExporter  a difference to the edge's is logged once; null expects nothing */
  constructor(log: Log, expectedExporter: ExporterType | null) {
    this.#log = log;
    this.#expectedExporter = expectedExporter;
  }

  /**
   * Unix ms by the edge's clock. Requests that never reached the edge are stamped with it too,
   * since this machine's clock may be wrong.
   */
  get nowMs(): number {
    return this.#clock();
  }

  /**
   * True if the text of a request that did not come through the edge may be kept. It is kept until
   * the first welcome: the edge drops text that it must not keep.
   */
  get keepsText(): boolean {
    return this.#keepsText;
  }

  /** True if the edge forbids to keep text, even that of open requests. */
  get forbidsText(): boolean {
    return this.#forbidsText;
  }

  welcomed({ keep_text, exporter_type, now_ms }: Welcome): void {
    this.#clock = steadyClock(now_ms);
    this.#keepsText = keep_text ?? false;
    this.#forbidsText = keep_text === false;
    this.#checkExporter(exporter_type);
  }

  settle({ keep_text }: EdgeSettings): void {
    this.#keepsText = keep_text;
    this.#forbidsText = !keep_text;
  }

  #checkExporter(edge: ExporterType | undefined): void {
    const expected = this.#expectedExporter;
    if (expected === null || edge === undefined || edge === expected) return;
    this.#log("warn", "exporter_differs", { expected, edge });
    this.#expectedExporter = null; // logged once
  }
}

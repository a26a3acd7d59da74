/**
 * The life of a source that reads a vendor's tool: begins once, begins again after each failure, and
 * kills the tool when it is stopped or this process exits.
 */
import { setTimeout as delay } from "node:timers/promises";

export type ToolLoopShell = {
  /**
   * Reads until the tool fails, or is killed.
   * @returns the time until the next attempt, ms
   */
  readUntilFailure(): Promise<number>;
  kill(): void;
  /** Longest wait for the end of a killed tool, ms: a hung driver must not block the agent. */
  stopMs: number;
};

export class ToolLoop {
  readonly #shell: ToolLoopShell;
  readonly #stopping = new AbortController();
  #running: Promise<void> | null = null;

  constructor(shell: ToolLoopShell) {
    this.#shell = shell;
  }

  get isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  start(): void {
    if (this.#running !== null) return;
    process.once("exit", this.#killNow);
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#killNow();
    process.off("exit", this.#killNow);
    await Promise.race([this.#running, delay(this.#shell.stopMs, undefined, { ref: false })]);
  }

  /** Waits, at most until the loop is stopped. */
  async wait(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    await delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
  }

  readonly #killNow = (): void => this.#shell.kill();

  async #run(): Promise<void> {
    while (!this.isStopped) {
      const waitMs = await this.#shell.readUntilFailure();
      if (!this.isStopped) await this.wait(waitMs);
    }
  }
}

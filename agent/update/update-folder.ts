/** The files of updates, in the state folder: agents by their digest, what runs, and what runs next. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { AgentFile } from "../../protocol/update.ts";
import { writeDurably } from "../state/durable-file.ts";
import { makeStateFolder } from "../state/folder.ts";
import { newState, UpdateState } from "./update-state.ts";

const STATE_FILE = "state.json";
/** Checked, and runs as soon as no request is open. */
const NEXT_FILE = "next.json";

export const digestOf = (content: Uint8Array): string =>
  createHash("sha256").update(content).digest("hex");

export class UpdateFolder {
  readonly #folder: string;
  readonly #installed: string;

  /** @param installed  identifies the installed file */
  constructor(stateDir: string, installed: string) {
    this.#folder = join(stateDir, "updates");
    this.#installed = installed;
  }

  /** Returns the state; without one, or after the installed file was replaced, a new one. */
  read(): UpdateState {
    const found = this.#parsed(STATE_FILE, UpdateState);
    return found?.installed === this.#installed ? found : newState(this.#installed);
  }

  /** @throws the system's error */
  write(state: UpdateState): void {
    makeStateFolder(this.#folder);
    writeDurably(join(this.#folder, STATE_FILE), JSON.stringify(state));
  }

  /** Returns the file that was downloaded last and has not run yet; null without one. */
  next(): AgentFile | null {
    return this.#parsed(NEXT_FILE, AgentFile);
  }

  /** @throws the system's error */
  keepNext(file: AgentFile, content: Uint8Array): void {
    makeStateFolder(this.#folder);
    writeDurably(this.pathOf(file), content);
    writeDurably(join(this.#folder, NEXT_FILE), JSON.stringify(file));
  }

  dropNext(): void {
    rmSync(join(this.#folder, NEXT_FILE), { force: true });
  }

  pathOf({ sha256 }: Pick<AgentFile, "sha256">): string {
    return join(this.#folder, `${sha256}.mjs`);
  }

  /** Returns whether the file is there as it was checked. */
  isIntact(file: AgentFile): boolean {
    try {
      return digestOf(readFileSync(this.pathOf(file))) === file.sha256;
    } catch {
      return false;
    }
  }

  /** Deletes the files that nothing needs any more. */
  prune({ current, previous, trial }: UpdateState): void {
    const needed = [current, previous, trial, this.next()].map((file) => file?.sha256);
    for (const name of this.#names()) {
      const isAgent = name.endsWith(".mjs") && !needed.includes(name.slice(0, -".mjs".length));
      if (isAgent || name.endsWith(".partial")) rmSync(join(this.#folder, name), { force: true });
    }
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder);
    } catch {
      return [];
    }
  }

  #parsed<T>(
    name: string,
    schema: { safeParse(value: unknown): { success: boolean; data?: T } },
  ): T | null {
    try {
      return (
        schema.safeParse(JSON.parse(readFileSync(join(this.#folder, name), "utf8"))).data ?? null
      );
    } catch {
      return null; // missing or damaged: the installed file runs
    }
  }
}

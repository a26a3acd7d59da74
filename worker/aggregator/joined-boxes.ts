/** The boxes that joined, and the codes to join with. Neither codes nor certificates can be made from it. */
import * as z from "zod";
import type { JoinCodeEntry } from "../../protocol/api/joining.ts";
import type { JoinFailure } from "../joining/failures.ts";
import {
  CODE_SHOWN_MS,
  CODES_MAX,
  IssuedCode,
  JoinedBox,
  shownCode,
} from "../joining/joined-box.ts";
import { jsonText } from "../storage/json-text.ts";

export type JoiningChange =
  | { act: "list" }
  | { act: "make"; id: string; name: string | null; expiresMs: number }
  | { act: "cancel"; id: string }
  /** `newId` is the id of this joining. */
  | { act: "join"; codeId: string; newId: string; box: string; isSecretBox: boolean }
  /** @property id  only if this is the current joining; null for any */
  | { act: "end"; box: string; id: string | null; ended: "revoked" | "left" };

/** `joined` is the box that joined or was removed; null for other changes. */
export type JoiningChanged =
  | { refusal: JoinFailure }
  | { refusal: null; codes: JoinCodeEntry[]; joined: JoinedBox | null };

const BoxRow = z.object({ joined: jsonText(JoinedBox) });
const CodeRow = z.object({ code: jsonText(IssuedCode) });

export class JoinedBoxes {
  readonly #sql: SqlStorage;
  readonly #boxes = new Map<string, JoinedBox>();
  readonly #codes = new Map<string, IssuedCode>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    for (const row of sql.exec("SELECT joined FROM joined_boxes")) {
      const { joined } = BoxRow.parse(row);
      this.#boxes.set(joined.box, joined);
    }
    for (const row of sql.exec("SELECT code FROM join_codes")) {
      const { code } = CodeRow.parse(row);
      this.#codes.set(code.id, code);
    }
  }

  of(box: string): JoinedBox | null {
    return this.#boxes.get(box) ?? null;
  }

  /** Returns the joinings that are in force. */
  inForce(): JoinedBox[] {
    return [...this.#boxes.values()].filter(({ ended_at_ms }) => ended_at_ms === null);
  }

  /** Returns their ids, by box. */
  current(): Record<string, string> {
    return Object.fromEntries(this.inForce().map(({ box, id }) => [box, id]));
  }

  change(change: JoiningChange, nowMs: number): JoiningChanged {
    this.#prune(nowMs);
    const done = (joined: JoinedBox | null = null): JoiningChanged => ({
      refusal: null,
      codes: this.#listed(nowMs),
      joined,
    });
    switch (change.act) {
      case "list":
        return done();
      case "make": {
        const { id, name, expiresMs: expires_at_ms } = change;
        const waiting = this.#listed(nowMs).filter(({ state }) => state === "waiting");
        if (waiting.length >= CODES_MAX) return { refusal: { reason: "codes_full" } };
        this.#putCode({
          ...{ id, name, expires_at_ms },
          ...{ made_at_ms: nowMs, ended_at_ms: null, box: null },
        });
        return done();
      }
      case "cancel": {
        const code = this.#codes.get(change.id);
        if (code === undefined || code.ended_at_ms !== null)
          return { refusal: { reason: "code_not_found", id: change.id } };
        this.#putCode({ ...code, ended_at_ms: nowMs });
        return done();
      }
      case "join": {
        const result = this.#join(change, nowMs);
        return "reason" in result ? { refusal: result } : done(result);
      }
      case "end": {
        const { box, id, ended } = change;
        const joined = this.#boxes.get(box);
        if (joined === undefined || (id !== null && joined.id !== id))
          return { refusal: { reason: "box_not_joined", box } };
        if (joined.ended_at_ms !== null) return done(joined);
        const after = { ...joined, ended, ended_at_ms: Math.max(nowMs, joined.joined_at_ms) };
        this.#putBox(after);
        return done(after);
      }
    }
  }

  #join(
    { codeId, newId, box, isSecretBox }: Extract<JoiningChange, { act: "join" }>,
    nowMs: number,
  ): JoinedBox | JoinFailure {
    const code = this.#codes.get(codeId);
    if (code === undefined || code.ended_at_ms !== null) return { reason: "code_used" };
    const { name } = code;
    if (name !== null && name !== box) return { reason: "box_name_differs", box, name };
    const before = this.#boxes.get(box);
    const isTaken = isSecretBox || (before !== undefined && before.ended_at_ms === null);
    if (name === null && isTaken) return { reason: "box_name_taken", box };
    // Later than every joining before: the Box refuses those up to a time.
    const earliestMs = Math.max(before?.joined_at_ms ?? 0, before?.ended_at_ms ?? 0) + 1;
    const joined_at_ms = Math.max(nowMs, earliestMs);
    const joined = { box, id: newId, joined_at_ms, ended_at_ms: null, ended: null };
    const used = { ...code, ended_at_ms: nowMs, box };
    this.#writeCode(used); // before either changes in memory
    this.#putBox(joined);
    this.#codes.set(code.id, used);
    return joined;
  }

  #listed(nowMs: number): JoinCodeEntry[] {
    return [...this.#codes.values()]
      .sort((a, b) => b.made_at_ms - a.made_at_ms)
      .map((code) => shownCode(code, nowMs));
  }

  #putBox(joined: JoinedBox): void {
    const text = JSON.stringify(joined);
    this.#sql.exec(
      "INSERT OR REPLACE INTO joined_boxes (box, joined) VALUES (?, ?)",
      joined.box,
      text,
    );
    this.#boxes.set(joined.box, joined);
  }

  #putCode(code: IssuedCode): void {
    this.#writeCode(code);
    this.#codes.set(code.id, code);
  }

  #writeCode(code: IssuedCode): void {
    const text = JSON.stringify(code);
    this.#sql.exec("INSERT OR REPLACE INTO join_codes (id, code) VALUES (?, ?)", code.id, text);
  }

  /** A code that is gone counts as used. */
  #prune(nowMs: number): void {
    for (const { id, expires_at_ms } of this.#codes.values())
      if (nowMs - expires_at_ms > CODE_SHOWN_MS) {
        this.#sql.exec("DELETE FROM join_codes WHERE id = ?", id);
        this.#codes.delete(id);
      }
  }
}

/**
 * The targets of messages and their notices, which wait in storage until they are delivered.
 *
 * A notice is marked as tried before it is sent, so a crash in between repeats it with the same id. Each
 * target has its own queue: one that fails holds up no other.
 */

import {
  type MadeTarget,
  type NewTarget,
  type NotificationTarget,
  TARGETS_MAX,
  type TargetEdit,
  type TestResult,
} from "../../protocol/api/notifications.ts";
import { DAY_MS } from "../../protocol/day.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { addressOf } from "../alerting/address.ts";
import { messageOf, testMessage } from "../alerting/message.ts";
import { firstOf, Notice, type Summary, summaryNotice } from "../alerting/notices.ts";
import { newWebhookSecret } from "../alerting/request.ts";
import { send } from "../alerting/send.ts";
import { MessageTarget } from "../alerting/target.ts";
import { seal, unseal } from "../alerting/vault.ts";
import { nextSummaryMs } from "../alerting/weekly.ts";
import { isoOf } from "../answers/figures.ts";
import { retryDelayMs } from "../export/backoff.ts";
import { JsonRows } from "../storage/json-rows.ts";

/** After a day, a message is no longer news. */
const GIVE_UP_MS = DAY_MS;
/** A crash in the middle of an attempt repeats it after this long. */
const ATTEMPT_MS = 60_000;
const RETRY_MS_MAX = 3_600_000;

const UNREADABLE =
  "KEY_PEPPER was replaced, so its address cannot be read: remove it and add it again";

type NewlyMade = { target: MessageTarget; secret: MadeTarget["secret"] };

export class Notifier {
  readonly #targets: JsonRows<MessageTarget>;
  readonly #notices: JsonRows<Notice>;
  readonly #secrets: readonly string[];
  readonly #sending = new Set<string>();

  /** @param secrets  that encrypt the addresses, newest first */
  constructor(sql: SqlStorage, secrets: readonly string[]) {
    this.#targets = new JsonRows(sql, "notification_targets", MessageTarget);
    this.#notices = new JsonRows(sql, "notices", Notice);
    this.#secrets = secrets;
  }

  get targets(): readonly MessageTarget[] {
    return this.#targets.all();
  }

  get isFull(): boolean {
    return this.targets.length >= TARGETS_MAX;
  }

  list(): NotificationTarget[] {
    return this.targets.map((target) => this.#shown(target));
  }

  /** Returns a new target, which {@link add} keeps. */
  async made(wish: NewTarget, nowMs: number): Promise<NewlyMade> {
    const id = newRequestId(nowMs);
    const address = addressOf(wish, newWebhookSecret);
    const host = new URL(address.url).host;
    const target: MessageTarget = {
      ...{ id, host, kind: wish.kind, name: wish.name ?? host },
      ...{ severity: wish.severity, quiet_hours: wish.quiet_hours, weekly: wish.weekly },
      ...{ created_at_ms: nowMs, last_sent_ms: null, last_error: null, summary_ms: null },
      sealed: await seal(address, id, this.#secrets),
    };
    return { target, secret: address.secret };
  }

  add({ target, secret }: NewlyMade): MadeTarget {
    this.#targets.put(target.id, target);
    return { ...this.#shown(target), secret };
  }

  /** Returns null if there is no such target. */
  edit(id: string, edit: TargetEdit, nowMs: number): NotificationTarget | null {
    const target = this.#targets.get(id);
    if (target === null) return null;
    // The week that is over was before anybody wanted its summary.
    const summary_ms = edit.weekly == null ? target.summary_ms : nowMs;
    const { name = target.name, severity = target.severity } = edit;
    const { quiet_hours = target.quiet_hours, weekly = target.weekly } = edit;
    const edited = { ...target, name, severity, quiet_hours, weekly, summary_ms };
    this.#targets.put(id, edited);
    return this.#shown(edited);
  }

  /**
   * Notes a weekly summary, unless the target has one of that time or wants none any more.
   * @param summary  null sends none for that time
   */
  noteSummary(id: string, dueMs: number, summary: Summary | null, nowMs: number): void {
    const target = this.#targets.get(id);
    if (target === null || target.weekly === null || (target.summary_ms ?? 0) >= dueMs) return;
    // Without a pause between the writes, so the platform makes both or neither.
    if (summary !== null) {
      const notice = summaryNotice(target, summary, { nowMs, newId: () => newRequestId(nowMs) });
      this.#notices.put(notice.id, notice);
    }
    this.#targets.put(id, { ...target, summary_ms: dueMs });
  }

  /** Returns when the next weekly summary is due, unix ms; null if nobody wants one. */
  summaryDueMs(nowMs: number): number | null {
    const due = this.targets.flatMap((target) => nextSummaryMs(target, nowMs) ?? []);
    return due.length === 0 ? null : Math.min(...due);
  }

  /** Returns false if there is no such target. */
  remove(id: string): boolean {
    for (const notice of this.#of(id)) this.#notices.delete(notice.id);
    return this.#targets.delete(id);
  }

  /** Returns null if there is no such target. */
  async test(id: string, nowMs: number): Promise<TestResult | null> {
    const target = this.#targets.get(id);
    if (target === null) return null;
    const address = await unseal(target.sealed, id, this.#secrets);
    if (address === null) return { delivered: false, error: UNREADABLE };
    const message = testMessage(newRequestId(nowMs), nowMs);
    const { error } = await send(target.kind, address, message, nowMs);
    this.#note(id, error, nowMs);
    return { delivered: error === null, error };
  }

  /** Replaces the notices of a target by what `next` makes of them. */
  change(target: string, next: (notices: readonly Notice[]) => readonly Notice[]): void {
    const before = this.#of(target);
    const after = next(before);
    for (const notice of after) if (!before.includes(notice)) this.#notices.put(notice.id, notice);
    const kept = new Set(after.map(({ id }) => id));
    for (const { id } of before) if (!kept.has(id)) this.#notices.delete(id);
  }

  /** Returns when the next notice is due, unix ms; null if none waits. */
  dueMs(): number | null {
    const due = this.targets
      .filter(({ id }) => !this.#sending.has(id))
      .map(({ id }) => firstOf(this.#notices.all(), id)?.due_ms ?? null)
      .filter((at) => at !== null);
    return due.length === 0 ? null : Math.min(...due);
  }

  /** Sends what is due to all targets at once. */
  async sendDue(): Promise<void> {
    await Promise.all(this.targets.map(({ id }) => this.#sendTo(id)));
  }

  async #sendTo(id: string): Promise<void> {
    if (this.#sending.has(id)) return;
    this.#sending.add(id);
    try {
      while (await this.#sendFirst(id));
    } finally {
      this.#sending.delete(id);
    }
  }

  /** Returns whether a notice was delivered, so that the next one is tried. */
  async #sendFirst(id: string): Promise<boolean> {
    const target = this.#targets.get(id);
    const notice = firstOf(this.#notices.all(), id);
    const nowMs = Date.now();
    if (target === null || notice === null || notice.due_ms > nowMs) return false;
    const tried = { ...notice, attempts: notice.attempts + 1, due_ms: nowMs + ATTEMPT_MS };
    this.#notices.put(tried.id, tried);
    const address = await unseal(target.sealed, id, this.#secrets);
    const sent =
      address === null
        ? { error: UNREADABLE, retryMs: RETRY_MS_MAX }
        : await send(target.kind, address, messageOf(tried), nowMs);
    // It may have been removed meanwhile.
    if (this.#targets.get(id) === null) return false;
    const afterMs = Date.now();
    this.#note(id, sent.error, afterMs);
    if (sent.error === null || afterMs - tried.created_ms > GIVE_UP_MS) {
      this.#notices.delete(tried.id);
      return sent.error === null;
    }
    const waitMs = Math.max(retryDelayMs(tried.attempts, Math.random()), sent.retryMs ?? 0);
    const due_ms = afterMs + Math.min(RETRY_MS_MAX, waitMs);
    this.#notices.put(tried.id, { ...tried, due_ms });
    return false;
  }

  #note(id: string, error: string | null, nowMs: number): void {
    const target = this.#targets.get(id);
    if (target === null) return;
    const last_error = error === null ? null : { at_ms: nowMs, message: error };
    const last_sent_ms = error === null ? nowMs : target.last_sent_ms;
    this.#targets.put(id, { ...target, last_error, last_sent_ms });
  }

  #of(target: string): Notice[] {
    return this.#notices.all().filter((notice) => notice.target === target);
  }

  #shown(target: MessageTarget): NotificationTarget {
    const { id, kind, name, host, severity, quiet_hours, weekly } = target;
    const { last_error: error, created_at_ms, last_sent_ms } = target;
    return {
      ...{ id, kind, name, host, severity, quiet_hours, weekly },
      created_at: isoOf(created_at_ms),
      waiting: this.#of(id).length,
      last_sent_at: last_sent_ms === null ? null : isoOf(last_sent_ms),
      last_error: error === null ? null : { at: isoOf(error.at_ms), message: error.message },
    };
  }
}

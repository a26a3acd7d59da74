/** Lists, adds, changes, removes and tests the targets of messages. */
import type {
  MadeTarget,
  NewTarget,
  NotificationTarget,
  TargetEdit,
  TestResult,
} from "../../protocol/api/notifications.ts";
import type { AuditedWish } from "./audited-change.ts";
import type { Notifier } from "./notifier.ts";

export type TargetsWish =
  | { act: "list" }
  | { act: "add"; target: NewTarget }
  | { act: "change"; id: string; edit: TargetEdit }
  | { act: "remove"; id: string }
  | { act: "test"; id: string };

type Answers = {
  list: NotificationTarget[];
  /** Null: there are as many as there may be. */
  add: MadeTarget | null;
  /** Null: there is no such target. */
  change: NotificationTarget | null;
  /** False: there is no such target. */
  remove: boolean;
  /** Null: there is no such target. */
  test: TestResult | null;
};
export type TargetsAnswer = {
  [Act in keyof Answers]: { act: Act; result: Answers[Act] };
}[keyof Answers];

/**
 * @param write  runs the part that writes
 */
export async function withTargets(
  notifier: Notifier,
  wish: TargetsWish,
  write: <Result>(change: Omit<AuditedWish<Result>, "call">) => Promise<Result>,
): Promise<TargetsAnswer> {
  const nowMs = Date.now();
  switch (wish.act) {
    case "list":
      return { act: "list", result: notifier.list() };
    case "add": {
      const made = await notifier.made(wish.target, nowMs);
      const result = await write({
        target: made.target.id,
        isRefused: (added) => added === null,
        make: () => (notifier.isFull ? null : notifier.add(made)),
      });
      return { act: "add", result };
    }
    case "change": {
      const make = () => notifier.edit(wish.id, wish.edit, nowMs);
      return {
        act: "change",
        result: await write({ isRefused: (changed) => changed === null, make }),
      };
    }
    case "remove": {
      const make = () => notifier.remove(wish.id);
      return { act: "remove", result: await write({ isRefused: (isGone) => !isGone, make }) };
    }
    case "test":
      return { act: "test", result: await notifier.test(wish.id, nowMs) };
  }
}

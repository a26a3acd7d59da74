/** Lists, adds, removes and tests the targets of messages. */
import type {
  MadeTarget,
  NewTarget,
  NotificationTarget,
  TestResult,
} from "../../protocol/api/notifications.ts";
import type { Notifier } from "./notifier.ts";

export type TargetsWish =
  | { act: "list" }
  | { act: "add"; target: NewTarget }
  | { act: "remove"; id: string }
  | { act: "test"; id: string };

type Answers = {
  list: NotificationTarget[];
  /** Null: there are as many as there may be. */
  add: MadeTarget | null;
  /** False: there is no such target. */
  remove: boolean;
  /** Null: there is no such target. */
  test: TestResult | null;
};
export type TargetsAnswer = {
  [Act in keyof Answers]: { act: Act; result: Answers[Act] };
}[keyof Answers];

export async function withTargets(notifier: Notifier, wish: TargetsWish): Promise<TargetsAnswer> {
  const nowMs = Date.now();
  switch (wish.act) {
    case "list":
      return { act: "list", result: notifier.list() };
    case "add":
      return {
        act: "add",
        result: notifier.isFull ? null : await notifier.add(wish.target, nowMs),
      };
    case "remove":
      return { act: "remove", result: notifier.remove(wish.id) };
    case "test":
      return { act: "test", result: await notifier.test(wish.id, nowMs) };
  }
}

/** The form of a key: its fields as typed, from a key and back. Pure. */
import type * as z from "zod";
import type { LimitPeriod } from "../../protocol/api/key-limits.ts";
import type { KeyChange, KeyPolicy } from "../../protocol/api/keys.ts";

type Scopes = KeyPolicy["scopes"];

/** The rights that a key can have, as the page names them. */
export const RIGHTS: readonly { scope: Scopes[number]; name: string; text: string }[] = [
  { scope: "infer", name: "Call models", text: "Chat, generate and embed" },
  { scope: "stats", name: "Read statistics", text: "All keys and boxes" },
  { scope: "text", name: "Read texts", text: "Prompts and answers in the logs" },
  { scope: "metrics", name: "Read metrics", text: "For Prometheus" },
  { scope: "models", name: "Change models", text: "Pull, load and delete them, pins and benches" },
  { scope: "admin", name: "Administer", text: "Change everything, keys included" },
];

export const PRIORITIES: readonly { priority: KeyPolicy["priority"]; name: string }[] = [
  { priority: "high", name: "High: four times as often" },
  { priority: "normal", name: "Normal" },
  { priority: "low", name: "Low: an eighth as often" },
];

/** The limits by period, in the order of their fields. */
export const COUNTED = ["requests", "tokens", "wh", "money"] as const;
export const LIMITED_PERIODS: readonly LimitPeriod[] = ["minute", "day", "month"];
type Counted = (typeof COUNTED)[number];
export type Counts = Record<Counted, Record<LimitPeriod, string>>;

export type KeyForm = {
  name: string;
  scopes: Scopes;
  /** Patterns, separated by commas or spaces; empty: all. */
  models: string;
  /** None: all. */
  boxes: string[];
  /** As in a field of the browser, in its time zone; empty: never. */
  expiresAt: string;
  keepText: boolean;
  maxNumCtx: string;
  maxNumPredict: string;
  mayKeepAlive: boolean;
  mayNumGpu: boolean;
  /** Separated by commas or spaces; empty: those that the settings admit. */
  origins: string;
  priority: KeyPolicy["priority"];
  parallel: string;
  counts: Counts;
};

/** The body of the call that makes a key. */
export type KeyBody = z.input<typeof KeyPolicy>;

const NO_COUNTS = { minute: "", day: "", month: "" };

export const NEW_KEY: KeyForm = {
  name: "",
  scopes: ["infer"],
  models: "",
  boxes: [],
  expiresAt: "",
  keepText: true,
  maxNumCtx: "",
  maxNumPredict: "",
  mayKeepAlive: true,
  mayNumGpu: true,
  origins: "",
  priority: "normal",
  parallel: "",
  counts: { requests: NO_COUNTS, tokens: NO_COUNTS, wh: NO_COUNTS, money: NO_COUNTS },
};

export const formOfKey = (policy: KeyPolicy): KeyForm => ({
  name: policy.name,
  scopes: policy.scopes,
  models: policy.models?.join(", ") ?? "",
  boxes: policy.boxes ?? [],
  expiresAt: policy.expires_at === null ? "" : fieldOfTime(new Date(policy.expires_at)),
  keepText: policy.keep_text,
  maxNumCtx: textOf(policy.max_num_ctx),
  maxNumPredict: textOf(policy.max_num_predict),
  mayKeepAlive: policy.may_keep_alive,
  mayNumGpu: policy.may_num_gpu,
  origins: policy.origins?.join(", ") ?? "",
  priority: policy.priority,
  parallel: textOf(policy.limits?.parallel),
  counts: Object.fromEntries(
    COUNTED.map((counted) => {
      const limit = policy.limits?.[counted];
      return [
        counted,
        Object.fromEntries(LIMITED_PERIODS.map((period) => [period, textOf(limit?.[period])])),
      ];
    }),
  ) as Counts,
});

/** Returns the body for a form. The edge checks it, and its message names what is wrong. */
export function keyBody(form: KeyForm): KeyBody {
  return {
    name: form.name,
    scopes: RIGHTS.map(({ scope }) => scope).filter((scope) => form.scopes.includes(scope)),
    models: listOf(form.models),
    boxes: form.boxes.length === 0 ? null : form.boxes,
    expires_at: form.expiresAt === "" ? null : new Date(form.expiresAt).toISOString(),
    keep_text: form.keepText,
    max_num_ctx: numberOf(form.maxNumCtx),
    max_num_predict: numberOf(form.maxNumPredict),
    may_keep_alive: form.mayKeepAlive,
    may_num_gpu: form.mayNumGpu,
    limits: limitsBody(form),
    origins: listOf(form.origins),
    priority: form.priority,
  };
}

/**
 * Returns the fields that differ between two forms; null if none does. Only those are sent: the edge
 * refuses a time that has passed, and a box that it has forgotten, only if they are set again.
 */
export function keyChange(before: KeyForm, after: KeyForm): KeyChange | null {
  const was: Partial<Record<string, unknown>> = keyBody(before);
  const changes = Object.entries(keyBody(after)).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(was[name]),
  );
  return changes.length === 0 ? null : (Object.fromEntries(changes) as KeyChange);
}

function limitsBody({ parallel, counts }: KeyForm): KeyBody["limits"] {
  const counted = COUNTED.flatMap((name) => {
    const set = LIMITED_PERIODS.flatMap((period) => {
      const max = numberOf(counts[name][period]);
      return max === null ? [] : [[period, max] as const];
    });
    return set.length === 0 ? [] : [[name, Object.fromEntries(set)] as const];
  });
  const open = numberOf(parallel);
  if (open === null && counted.length === 0) return null;
  return { parallel: open, ...Object.fromEntries(counted) };
}

/** Returns the entries of a text; null for none. */
function listOf(text: string): string[] | null {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== "");
  return entries.length === 0 ? null : entries;
}

const numberOf = (text: string): number | null => (text.trim() === "" ? null : Number(text));
const textOf = (value: number | null | undefined): string =>
  value === null || value === undefined ? "" : String(value);

/** Formats a time as a field of the browser has it: local, to the minute. */
export function fieldOfTime(at: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

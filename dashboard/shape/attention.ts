/**
 * The concerns of the edge as rows of the page: a sentence in the viewer's units, and a link. Pure.
 */
import type { Concern, ConcernOf } from "../../protocol/concern.ts";
import { type ConcernFormats, concernText } from "../../protocol/concern-text.ts";
import type { ConcernCode } from "../../protocol/concerns.ts";
import {
  age,
  bytes,
  count,
  duration,
  elapsed,
  percent,
  type Sizes,
  temperature,
} from "./format.ts";
import { untagged } from "./models.ts";
import { hashOf } from "./route.ts";

export type ConcernRow = {
  tone: "bad" | "warn" | "note";
  /** The subject, e.g. a box. */
  title: string;
  /** The rest of the sentence, with the figure that raised the concern. */
  predicate: string;
  /** Hash of the page that shows more. */
  href: string;
};

type Units = { sizes: Sizes; temperature: "celsius" | "fahrenheit" };

/** Returns whether a concern is a row of lists: all but `no_box`, which has a section of its own. */
export const hasRow = ({ code }: Concern): boolean => code !== "no_box";

/** Rows in the order of the concerns. */
export function concernRows(
  concerns: readonly Concern[],
  nowMs: number,
  units: Units,
): ConcernRow[] {
  const formats = formatsOf(nowMs, units);
  return concerns.filter(hasRow).map((concern) => ({
    tone: toneOf(concern),
    ...concernText(concern, formats),
    href: PAGES[concern.code] ?? pageOf(concern.subject),
  }));
}

/**
 * Slow answers are noted without an alarm. The threshold is fixed, and a box with a large model is above it
 * all day.
 */
const toneOf = ({ code, severity }: Concern): ConcernRow["tone"] =>
  severity === "critical" ? "bad" : code === "latency_high" ? "note" : "warn";

/** Returns the concern of this code about a GPU, if it was raised. */
export const gpuConcern = <Code extends "gpu_hot" | "gpu_throttled">(
  concerns: readonly Concern[],
  code: Code,
  { box, index }: { box: string; index: number },
): ConcernOf<Code> | undefined =>
  concerns.find(
    (concern): concern is ConcernOf<Code> =>
      concern.code === code &&
      concern.subject.kind === "gpu" &&
      concern.subject.box === box &&
      concern.subject.index === index,
  );

/** Checks whether the disk of a box is almost full. */
export const isDiskFilling = (concerns: readonly Concern[], box: string): boolean =>
  concerns.some(({ code, subject }) => code === "disk_filling" && subject.box === box);

const formatsOf = (nowMs: number, units: Units): ConcernFormats => ({
  count,
  percent,
  duration,
  bytes: (value) => bytes(value, units.sizes),
  temperature: (celsius) => temperature(celsius, units.temperature),
  since: (iso) => `for ${elapsed(nowMs - Date.parse(iso))}`,
  at: (iso) => age(nowMs - Date.parse(iso)),
});

function pageOf(subject: Concern["subject"]): string {
  switch (subject.kind) {
    case "edge":
      return hashOf("requests");
    case "box":
    case "gpu":
      return hashOf("box", { box: subject.box });
    case "model":
      return hashOf("model", { model: untagged(subject.model) });
    case "external_store":
      return hashOf("settings");
  }
}

/** Pages of codes that are better explained elsewhere than on their subject's page. */
const PAGES: Partial<Record<ConcernCode, string>> = {
  error_rate_high: "#/requests?status=error",
  recording_off: "#/settings",
  repository_stale: "#/models",
};

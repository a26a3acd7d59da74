/** Makes concerns, with the severity that their table gives them. Pure. */
import type { Concern, ConcernOf } from "./concern.ts";
import type { Severity, Thresholds } from "./concerns/definition.ts";
import { CONCERNS, type ConcernCode } from "./concerns.ts";

type RaiseOptions = {
  value?: number | null;
  since?: string | null;
  above?: Thresholds;
};

/**
 * Makes a concern, with the severity that the table gives it.
 * @param value  the measured value that the thresholds apply to
 * @param above  the thresholds, if they are not those of the table
 * @returns nothing when the value exceeds no threshold
 */
export function raise<Code extends ConcernCode>(
  code: Code,
  subject: ConcernOf<Code>["subject"],
  params: ConcernOf<Code>["params"],
  { value = null, since = null, above }: RaiseOptions = {},
): Concern[] {
  const { severity: rule } = CONCERNS[code];
  const severity = typeof rule === "string" ? rule : severityAbove(value, above ?? rule.above);
  // The compiler cannot see that subject and params belong to the code once it is generic.
  return severity === null ? [] : [{ code, severity, subject, since, params } as Concern];
}

function severityAbove(value: number | null, { critical, warning }: Thresholds): Severity | null {
  if (value === null) return null;
  if (critical !== undefined && value > critical) return "critical";
  return warning !== undefined && value > warning ? "warning" : null;
}

/**
 * The alerts of concerns that no metric but `ollama_concern` reports. Each is made from the definition of its
 * concern, so the page, the messages and Prometheus agree about it.
 */
import { CONCERN_CODES, CONCERNS, type ConcernCode } from "../protocol/concerns.ts";
import { type Alert, lasting, UNLESS_SIMULATED } from "./alert.ts";

/** The concerns whose definition contains advice. */
type MadeCode = {
  [Code in ConcernCode]: (typeof CONCERNS)[Code] extends { advice: string } ? Code : never;
}[ConcernCode];
export type MadeAlertName = (typeof CONCERNS)[MadeCode]["alert"];

const isMade = (code: ConcernCode): code is MadeCode => "advice" in CONCERNS[code];

const ABOUT = {
  box: "Box {{ $labels.box }}",
  gpu: "GPU {{ $labels.gpu }} of box {{ $labels.box }}",
  model: "{{ $labels.model }} on box {{ $labels.box }}",
};

export const madeAlerts = (): Record<MadeAlertName, Alert> =>
  Object.fromEntries(
    CONCERN_CODES.filter(isMade).map((code) => [CONCERNS[code].alert, alertOf(code)]),
  ) as Record<MadeAlertName, Alert>;

function alertOf(code: MadeCode): Alert {
  const { subject, description, advice } = CONCERNS[code];
  return {
    comment: ["The edge computes this concern; the sentence with its figures is in /api/health."],
    expr: [`ollama_concern{code="${code}"} == 1 ${UNLESS_SIMULATED}`],
    for: lasting(code),
    severity: "warning",
    summary: `${ABOUT[subject]}: ${code.replaceAll("_", " ")}`,
    description: [...wrapped(description), ...wrapped(advice)],
  };
}

/** Words that fill a line. */
const LINE = /\S.{0,98}(?= |$)/g;
const wrapped = (text: string): string[] => text.match(LINE) ?? [];

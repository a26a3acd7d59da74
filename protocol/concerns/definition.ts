/** The form in which a concern is defined. */
import * as z from "zod";

/** The kinds of things that a concern is about; `concern.ts` has the fields of each. */
export type SubjectKind = "edge" | "box" | "gpu" | "model" | "external_store";

/** `critical`: requests fail, or data is lost. `warning`: something will get worse, or is slow. */
export const Severity = z.enum(["critical", "warning"]);
export type Severity = z.infer<typeof Severity>;

/** Values above these raise the concern. A value that equals a threshold raises nothing. */
export type Thresholds = { warning?: number; critical?: number };

export type Definition = {
  subject: SubjectKind;
  description: string;
  /** Fixed, or decided by the highest threshold that the value exceeds. */
  severity: Severity | { above: Thresholds };
  /** Makes `/api/health` report `degraded` while it lasts. Advice about capacity does not. */
  degrades: boolean;
  /** The alert in `monitoring/prometheus_rules.yml` that covers it; null with a comment that gives the reason. */
  alert: string | null;
  /**
   * Advice, as a sentence. If given, the alert is made from this definition and
   * `ollama_concern`; otherwise `monitoring/alerts.ts` writes it from metrics of its own.
   */
  advice?: string;
  params: z.ZodRawShape;
};

/** The reason of a failure. */
export const error = z.string().nullable().describe("the reason as reported; null when unknown");

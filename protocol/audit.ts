/**
 * The audit log: who changed what, when and from where. Entries are only ever added.
 *
 * A change by a person or by their program is one entry. Calls to models are no changes: the ledger has
 * them.
 */
import * as z from "zod";

/** The changes that the audit log knows. */
export const AUDIT_ACTIONS = [
  "key_made",
  "key_changed",
  "key_rotated",
  "key_revoked",
  "join_code_made",
  "join_code_cancelled",
  "box_joined",
  "box_left",
  "box_revoked",
  "box_update_offered",
  "box_forgotten",
  "request_stopped",
  "config_changed",
  "tariff_set",
  "tariff_removed",
  "pin_set",
  "pin_removed",
  "logs_cleared",
  "metrics_cleared",
  "data_cleared",
  "model_pulled",
  "model_pushed",
  "model_created",
  "model_copied",
  "model_deleted",
  "model_loaded",
  "model_unloaded",
  "bench_started",
  "repository_changed",
  "target_added",
  "target_changed",
  "thresholds_set",
  "target_removed",
  "signed_in",
] as const;
export const AuditAction = z.enum(AUDIT_ACTIONS);
export type AuditAction = z.infer<typeof AuditAction>;

/** Most characters of `detail`. */
export const AUDIT_DETAIL_CHARS_MAX = 2_000;

export const AuditEntry = z
  .object({
    id: z.uuid().describe("in the order of the entries"),
    timestamp: z.iso.datetime().describe("when the change was complete"),
    action: AuditAction,
    outcome: z
      .enum(["done", "failed", "refused", "unknown"])
      .describe(
        "failed: nothing was changed, or only a part; refused: the key lacks the scope; unknown: the edge was interrupted, and the change may have been made",
      ),
    error: z.string().nullable().describe("the code of the error of a change that was not done"),
    target: z
      .string()
      .nullable()
      .describe("the id of the key or code, the name of the box or model; null without one"),
    detail: z
      .string()
      .nullable()
      .describe(
        `the parameters of the change, as JSON of at most ${AUDIT_DETAIL_CHARS_MAX} characters. It never contains a key`,
      ),
    times: z
      .int()
      .min(1)
      .describe("how many refusals or sign-ins of this kind the entry stands for; otherwise 1"),
    via: z
      .enum(["key", "session", "identity", "open", "join_code", "box"])
      .describe(
        "how its author was recognised. session: a browser that signed in with the key; identity: a person whom the identity provider knows; open: AUTH_MODE is open; join_code, box: an agent",
      ),
    key_id: z.string().nullable().describe("admin: the ADMIN_KEY, the key for emergencies"),
    key_name: z.string().nullable().describe("the name of the key at that time"),
    identity: z.string().nullable().describe("the person, if the identity provider knows them"),
    client_ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    request_id: z.uuid().describe("the X-Request-Id of the call; records may have it too"),
  })
  .meta({ id: "AuditEntry" });
export type AuditEntry = z.infer<typeof AuditEntry>;

/** The author of a change, and the call that made it. */
export type AuditAuthor = Pick<
  AuditEntry,
  "via" | "key_id" | "identity" | "client_ip" | "user_agent" | "request_id"
>;

/** A change, before its outcome is known. */
export type AuditedChange = AuditAuthor & Pick<AuditEntry, "action" | "target" | "detail">;

/** The changes that Ollama's own paths make; null: none that anybody would notice. */
export const OLLAMA_ACTIONS: Readonly<Record<string, AuditAction | null>> = {
  "/api/pull": "model_pulled",
  "/api/push": "model_pushed",
  "/api/create": "model_created",
  "/api/copy": "model_copied",
  "/api/delete": "model_deleted",
  // A file that no model uses yet. Its model is created by another call.
  "/api/blobs/:digest": null,
};

/** Returns whether an entry is about a change; the others are about access. */
export const isChange = ({ action, outcome }: Pick<AuditEntry, "action" | "outcome">): boolean =>
  action !== "signed_in" && (outcome === "done" || outcome === "unknown");

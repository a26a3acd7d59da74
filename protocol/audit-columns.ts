/** The columns of the audit log in the external stores and in its exports. */
import type { AuditEntry } from "./audit.ts";
import type { ColumnsOf } from "./columns.ts";

export const AUDIT_COLUMNS = {
  id: { type: "uuid", nullable: false },
  timestamp: { type: "time", nullable: false, comment: "when the change was complete" },
  action: { type: "label", nullable: false },
  outcome: { type: "label", nullable: false, comment: "done, failed, refused or unknown" },
  error: { type: "label", nullable: true, comment: "code of the error" },
  target: { type: "text", nullable: true, comment: "key, box or model that was changed" },
  detail: { type: "long_text", nullable: true, comment: "parameters of the change, as JSON" },
  times: { type: "uint32", nullable: false, comment: "refusals that the entry stands for" },
  via: { type: "label", nullable: false, comment: "how the author was recognised" },
  key_id: { type: "label", nullable: true },
  key_name: { type: "label", nullable: true, comment: "name of the key at that time" },
  identity: { type: "text", nullable: true, comment: "person, by the identity provider" },
  client_ip: { type: "text", nullable: true },
  user_agent: { type: "label", nullable: true },
  request_id: { type: "uuid", nullable: false },
} as const satisfies ColumnsOf<AuditEntry>;

/** The columns of an export. */
export const AUDIT_FIELDS = Object.keys(AUDIT_COLUMNS);

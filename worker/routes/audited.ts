/** Writes the changes that callers make into the audit log. */
import type { Context } from "hono";
import {
  AUDIT_DETAIL_CHARS_MAX,
  type AuditAction,
  type AuditAuthor,
  type AuditedChange,
} from "../../protocol/audit.ts";
import type { AuditOutcome } from "../aggregator/audit-log.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { AuditSampling } from "../audit-sampling.ts";
import type { Env } from "../env.ts";
import { failureOfError, GatewayError, wireErrorOf } from "../errors.ts";
import type { Principal } from "../principal.ts";

/** The refusals and sign-ins that this isolate has seen. */
const sampling = new AuditSampling();

/** Returns the author of a call. */
export const authorOf = (
  c: Context<Env>,
  { via, keyId, person }: Pick<Principal, "via" | "keyId" | "person">,
): AuditAuthor => ({
  ...callOf(c),
  via,
  key_id: person === null ? keyId : null,
  identity: person?.name ?? null,
});

/** Returns the author of a change that an agent makes with a proof of its own. */
export const agentAuthor = (c: Context<Env>, via: "join_code" | "box"): AuditAuthor => ({
  ...callOf(c),
  via,
  key_id: null,
  identity: null,
});

const callOf = (c: Context<Env>) => ({
  client_ip: c.req.header("cf-connecting-ip")?.slice(0, 64) ?? null,
  user_agent: c.req.header("user-agent")?.slice(0, 512) ?? null,
  request_id: c.get("requestId"),
});

/** Returns a change by its parameters, which contain no secret. */
export function changeBy(
  author: AuditAuthor,
  action: AuditAction,
  parameters: Record<string, unknown>,
): AuditedChange {
  const detail = JSON.stringify(parameters);
  return {
    ...author,
    action,
    target: textIn(parameters, ["id", "name", "model_name", "model", "box"]),
    detail: detail === "{}" ? null : detail.slice(0, AUDIT_DETAIL_CHARS_MAX),
  };
}

/**
 * Makes a change that is noted before, and its outcome after. While nothing can be noted, nothing can be
 * changed.
 */
export async function audited<Result>(
  c: Context<Env>,
  change: AuditedChange,
  make: () => Promise<Result>,
): Promise<Result> {
  await aggregatorOf(c.env).noteAudit({ act: "open", change });
  const id = change.request_id;
  // An outcome that cannot be noted becomes "unknown", which must not hide it from the caller.
  const close = (outcome: AuditOutcome) =>
    aggregatorOf(c.env).noteAudit({ act: "close", id, outcome }).catch(logged);
  try {
    const result = await make();
    // Only the answer has the id of what was made.
    const target = result instanceof Response ? null : textIn(result, ["id"]);
    await close({ outcome: "done", error: null, target });
    return result;
  } catch (error) {
    await close({ outcome: "failed", error: codeOf(error), target: null });
    throw error;
  }
}

/**
 * Notes beside a call what became of it: a call of Ollama's API does not wait for the Aggregator. Its
 * record shows it too.
 */
export async function auditedBeside(
  c: Context<Env>,
  change: () => AuditedChange,
  make: () => Promise<Response>,
): Promise<Response> {
  const note = (error: string | null) => {
    const outcome = error === null ? ("done" as const) : ("failed" as const);
    add(c, change(), { outcome, error, target: null }, 1);
  };
  try {
    const answer = await make();
    note(answer.status < 400 ? null : `http_${answer.status}`);
    return answer;
  } catch (error) {
    if (isRefusal(error)) noteRefusal(c, change());
    else note(codeOf(error));
    throw error;
  }
}

/** Notes a change that was refused because the key lacks the scope. */
export const noteRefusal = (c: Context<Env>, change: AuditedChange): void =>
  noteSampled(c, change, { outcome: "refused", error: "forbidden" });

/** Notes a sign-in. */
export const noteSignIn = (c: Context<Env>, author: AuditAuthor): void =>
  noteSampled(c, changeBy(author, "signed_in", {}), { outcome: "done", error: null });

export const isRefusal = (error: unknown): boolean =>
  error instanceof GatewayError && error.failure.reason === "scope_missing";

function noteSampled(
  c: Context<Env>,
  change: AuditedChange,
  outcome: { outcome: "refused" | "done"; error: string | null },
): void {
  const author = change.key_id ?? change.identity ?? change.via;
  const times = sampling.count(`${author} ${change.action} ${outcome.outcome}`, Date.now());
  if (times === null) return;
  add(c, change, { ...outcome, target: null }, times);
}

/** Adds an entry beside the call. */
function add(c: Context<Env>, change: AuditedChange, outcome: AuditOutcome, times: number): void {
  const noting = aggregatorOf(c.env).noteAudit({ act: "add", change, outcome, times });
  c.executionCtx.waitUntil(noting.catch(logged));
}

const logged = (error: unknown): void => console.error(error);

const codeOf = (error: unknown): string => wireErrorOf(failureOfError(error)).code;

/** Returns the first of these fields that is a text. */
function textIn(value: unknown, names: readonly string[]): string | null {
  if (typeof value !== "object" || value === null) return null;
  for (const name of names) {
    const text = (value as Record<string, unknown>)[name];
    if (typeof text === "string") return text.slice(0, 350);
  }
  return null;
}

/**
 * Join codes: `oej_<pepper><id><end>_<mac>`. The MAC lets a Worker refuse made-up and expired codes with CPU
 * alone. The registry knows which codes were used.
 */
import { hexOf } from "../hex.ts";
import { type Authority, isMacOf, macOf } from "./authority.ts";
import type { JoinFailure } from "./failures.ts";

const CODE = /^oej_([0-9a-f]{4})([0-9a-f]{16})([0-9a-f]{8})_([0-9a-f]{32})$/;
const MAC_BYTES = 16;

export const newJoiningId = (): string => hexOf(crypto.getRandomValues(new Uint8Array(8)).buffer);

/** @param expiresMs  unix ms, in whole seconds */
export async function codeOf(authority: Authority, id: string, expiresMs: number): Promise<string> {
  const end = (expiresMs / 1_000).toString(16).padStart(8, "0");
  const mac = await macOf(authority, textOf(authority.name, id, end), MAC_BYTES);
  return `oej_${authority.name}${id}${end}_${hexOf(mac.slice().buffer)}`;
}

/** Returns the id of a code that this edge made and that has not expired, or its failure. */
export async function checkCode(
  code: string,
  authorities: readonly Authority[],
  nowMs: number,
): Promise<{ id: string } | Extract<JoinFailure, { reason: "code_unknown" | "code_expired" }>> {
  const [, name = "", id = "", end = "", mac = ""] = CODE.exec(code) ?? [];
  const authority = authorities.find((each) => each.name === name);
  if (authority === undefined || !(await isMacOf(authority, textOf(name, id, end), mac)))
    return { reason: "code_unknown" };
  return nowMs < Number.parseInt(end, 16) * 1_000 ? { id } : { reason: "code_expired" };
}

const textOf = (name: string, id: string, end: string): string => `code|${name}|${id}|${end}`;

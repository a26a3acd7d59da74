/** The part of its limits that a key has left, by the object that counts it. */
import type { LimitsLeft } from "../../protocol/api/key-limits.ts";
import type { Bindings } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { type IssuedKey, lineageOf } from "../keys/policy.ts";
import { quotaOf } from "../quota/stub.ts";

/**
 * @returns null for a key without limits
 * @throws {GatewayError} `limits_unchecked`
 */
export async function limitsLeft(env: Bindings, key: IssuedKey): Promise<LimitsLeft | null> {
  const { limits } = key.policy;
  if (limits === null) return null;
  try {
    return await quotaOf(env, lineageOf(key)).left(limits);
  } catch (cause) {
    throw new GatewayError({ reason: "limits_unchecked" }, { cause });
  }
}

/**
 * The tags of a request: the names that its caller gives to its user and to its conversation. Pure.
 *
 * They are claims of the caller, who may leave them out. So records can be filtered by them, and
 * nothing is allowed or counted by them.
 */
import * as z from "zod";
import type { JsonSlice } from "./json-scan.ts";
import { kindOf, textOf } from "./json-text.ts";

/** Room for the longest id that clients are known to send: that of Claude Code has 150 characters. */
export const TAG_CHARS_MAX = 256;

export const Tag = z.string().min(1).max(TAG_CHARS_MAX);

/** Longest name of a key. */
export const KEY_NAME_CHARS_MAX = 100;

/** The fields of a record that name its caller for people. */
export const CALLER_FIELDS = {
  /**
   * The name of the key when the call was recorded. The edge fills it in. Null without a key, and from
   * older versions.
   */
  key_name: z.string().max(KEY_NAME_CHARS_MAX).nullable().default(null),
  /**
   * The tags, as the caller claims them. Unlike the key they are not sealed: the box that served the
   * request could change them. Null without one, and from older versions.
   */
  end_user: Tag.nullable().default(null),
  session_id: Tag.nullable().default(null),
};

/** A longer object of metadata is not read. */
const METADATA_BYTES_MAX = 4 * 1024;

/** The fields of a body that {@link endUserIn} reads. */
export const TAG_FIELDS = ["user", "metadata"] as const;

/** The header that names a conversation. */
export const SESSION_HEADER = "x-session-id";

/** Returns a tag as records keep it; null if it is empty. */
export const callerTag = (text: string | null | undefined): string | null =>
  text?.trim().slice(0, TAG_CHARS_MAX).toWellFormed() || null;

/**
 * Returns the user that a body names: `user` of OpenAI, or `metadata.user_id` of Anthropic.
 * @param fields  the fields of the body, {@link TAG_FIELDS} among them
 */
export function endUserIn(
  bytes: Uint8Array,
  fields: ReadonlyMap<string, JsonSlice>,
): string | null {
  const user = fields.get("user");
  if (user !== undefined && kindOf(bytes, user) === "string")
    return callerTag(textOf(bytes, user, TAG_CHARS_MAX));
  const metadata = fields.get("metadata");
  return metadata === undefined ? null : callerTag(userIdIn(bytes, metadata));
}

function userIdIn(bytes: Uint8Array, { from, to }: JsonSlice): string | null {
  if (to - from > METADATA_BYTES_MAX) return null;
  const metadata: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(from, to)));
  const isObject = metadata !== null && typeof metadata === "object" && "user_id" in metadata;
  return isObject && typeof metadata.user_id === "string" ? metadata.user_id : null;
}

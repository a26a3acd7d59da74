/** The routes of keys in the table of `/api`. */
import * as z from "zod";
import {
  KEYS_MAX,
  Key,
  KeyChange,
  KeyId,
  Keys,
  LEFT_LISTED_MAX,
  MadeKey,
  NewKey,
  OwnKey,
} from "./keys.ts";
import type { ApiRoute } from "./route.ts";

const KeyPath = z.object({ id: KeyId });
const tag = "Keys";

export const KEY_ROUTES = {
  keys: {
    method: "GET",
    path: "/api/keys",
    scope: "admin",
    tag,
    summary: "List the keys",
    query: z.strictObject({
      left: z
        .enum(["true", "false"])
        .default("false")
        .describe(
          `true: with the rest of their limits, for the newest ${LEFT_LISTED_MAX} valid keys with limits`,
        ),
    }),
    answer: Keys,
  },
  makeKey: {
    method: "POST",
    audit: "key_made",
    showsSecret: true,
    path: "/api/keys",
    scope: "admin",
    tag,
    summary: "Make a key",
    description: [
      "The key is in this answer only. It works at once. Records of its calls have its id as key_id.",
      `At most ${KEYS_MAX} keys exist: delete those that are no longer needed.`,
    ].join(" "),
    body: NewKey,
    answer: MadeKey,
  },
  ownKey: {
    method: "GET",
    path: "/api/keys/self",
    scope: "any",
    tag,
    summary: "Get the key or the person that makes this call",
    description: "The rights, the limits and the usage, and the models that it may call.",
    answer: OwnKey,
  },
  key: {
    method: "GET",
    path: "/api/keys/{id}",
    scope: "admin",
    tag,
    summary: "Get a key",
    params: KeyPath,
    answer: Key,
  },
  changeKey: {
    method: "PATCH",
    audit: "key_changed",
    path: "/api/keys/{id}",
    scope: "admin",
    tag,
    summary: "Change what a key may do",
    description: "In force for new calls within a second.",
    params: KeyPath,
    body: KeyChange,
    answer: Key,
  },
  revokeKey: {
    method: "DELETE",
    audit: "key_revoked",
    path: "/api/keys/{id}",
    scope: "admin",
    tag,
    summary: "Revoke a key",
    description: [
      "New calls are refused, and open ones are stopped, within a second. The key stays in the list as",
      "revoked; a second DELETE removes it from there, and the first one a key that was replaced. Its records stay.",
    ].join(" "),
    params: KeyPath,
    answer: z.object({ status: z.enum(["revoked", "deleted"]), id: KeyId }),
  },
  rotateKey: {
    method: "POST",
    audit: "key_rotated",
    showsSecret: true,
    path: "/api/keys/{id}/rotate",
    scope: "admin",
    tag,
    summary: "Replace a key",
    description: "Makes a key that may do the same. The old one works on for the stated time.",
    params: KeyPath,
    body: z.strictObject({
      overlap_s: z
        .int()
        .min(0)
        .max(30 * 86_400)
        .default(86_400)
        .describe("seconds for which the old key still works"),
    }),
    answer: MadeKey,
  },
} as const satisfies Record<string, ApiRoute>;

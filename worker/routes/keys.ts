/** `/api/keys`: makes, lists, changes, replaces and revokes keys. */
import type { Context } from "hono";
import { Hono } from "hono";
import { KEY_ROUTES } from "../../protocol/api/key-routes.ts";
import { type Key, LEFT_LISTED_MAX, type MadeKey, NO_USAGE } from "../../protocol/api/keys.ts";
import { OPEN_EDGE_TEXT } from "../../protocol/open-edge.ts";
import type { KeysChange } from "../aggregator/changing-keys.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { modelsFor } from "../answers/own-models.ts";
import { configuredKeys, peppersOf } from "../auth.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { forgetBoxes } from "../gateway/known-fleet.ts";
import { limitsLeft } from "../gateway/limits-left.ts";
import { shownKey } from "../keys/changes.ts";
import { configuredKeyName } from "../keys/names.ts";
import type { IssuedKey } from "../keys/policy.ts";
import { newKeyId, tokenOf } from "../keys/token.ts";
import { settingsOf } from "../settings.ts";
import { serveRoute } from "./api-route.ts";

export const keyRoutes = new Hono<Env>();

serveRoute(keyRoutes, KEY_ROUTES.keys, async ({ query: { left } }, c) => {
  const { shown, issued } = await allKeys(c);
  return { keys: left === "true" ? await withLeft(c, shown, issued) : shown };
});

// Before /api/keys/{id}.
serveRoute(keyRoutes, KEY_ROUTES.ownKey, async ({ principal }, c) => {
  const { keyId, person, scopes, key } = principal;
  const [own, personUsage, boxes] = await Promise.all([
    keyId === null || person !== null ? null : keyWith(c, keyId),
    keyId === null || person === null ? null : usageOf(c, keyId),
    scopes.has("infer") ? aggregatorOf(c.env).registry() : [],
  ]);
  return {
    scopes: [...scopes],
    key: own,
    person,
    usage: own?.usage ?? personUsage,
    models: modelsFor(key?.issued.policy ?? { models: null, boxes: null }, boxes),
  };
});

serveRoute(keyRoutes, KEY_ROUTES.key, ({ params: { id } }, c) => keyWith(c, id));

serveRoute(keyRoutes, KEY_ROUTES.makeKey, async ({ body }, c) =>
  made(c, { act: "make", newId: newKeyId(), policy: body }),
);

serveRoute(keyRoutes, KEY_ROUTES.rotateKey, async ({ params: { id }, body: { overlap_s } }, c) =>
  made(c, { act: "rotate", id, newId: newKeyId(), overlapMs: overlap_s * 1_000 }),
);

serveRoute(keyRoutes, KEY_ROUTES.changeKey, async ({ params: { id }, body }, c) => {
  const { key } = await change(c, { act: "change", id, change: body });
  return key;
});

serveRoute(keyRoutes, KEY_ROUTES.revokeKey, async ({ params: { id } }, c) => {
  const { isDeleted } = await change(c, { act: "revoke", id });
  return { status: isDeleted ? ("deleted" as const) : ("revoked" as const), id };
});

/** A configured key has no limits. */
const NO_LIMITS = {
  max_num_ctx: null,
  max_num_predict: null,
  may_keep_alive: true,
  may_num_gpu: true,
  limits: null,
  origins: null,
  priority: "normal",
} as const;

/** @throws {GatewayError} `key_not_found`, `limits_unchecked` */
async function keyWith(c: Context<Env>, id: string): Promise<Key> {
  const { shown, issued } = await allKeys(c);
  const key = shown.find((each) => each.id === id);
  if (key === undefined) throw new GatewayError({ reason: "key_not_found", id });
  const made = issued.find((each) => each.id === id);
  return { ...key, left: made === undefined ? null : await limitsLeft(c.env, made) };
}

/** Returns the keys with the rest of their limits. An object that does not answer costs only its own figures. */
function withLeft(c: Context<Env>, keys: Key[], issued: readonly IssuedKey[]): Promise<Key[]> {
  const isLimited = ({ state, limits }: Key) => state === "valid" && limits !== null;
  const wanted = new Set(keys.filter(isLimited).slice(0, LEFT_LISTED_MAX));
  return Promise.all(
    keys.map(async (key) => {
      const made = wanted.has(key) ? issued.find(({ id }) => id === key.id) : undefined;
      if (made === undefined) return key.limits === null ? { ...key, left: null } : key;
      const left = await limitsLeft(c.env, made).catch(() => undefined);
      return { ...key, left };
    }),
  );
}

const usageOf = async (c: Context<Env>, id: string) =>
  (await aggregatorOf(c.env).usedKeys()).usages[id] ?? NO_USAGE;

async function allKeys(c: Context<Env>): Promise<{ shown: Key[]; issued: IssuedKey[] }> {
  const { keys, usages } = await aggregatorOf(c.env).usedKeys();
  const nowMs = Date.now();
  const configured = configuredKeys(settingsOf(c.env)).map(
    ({ keyId, scopes }): Key => ({
      id: keyId,
      ...NO_LIMITS,
      name: configuredKeyName(keyId),
      scopes: scopes.filter((scope) => scope !== "read"),
      models: null,
      boxes: null,
      expires_at: null,
      keep_text: true,
      source: "setting",
      state: "valid",
      created_at: null,
      revoked_at: null,
      replaced_by: null,
      usage: usages[keyId] ?? NO_USAGE,
    }),
  );
  const made = keys.map((key) => shownKey(key, nowMs, usages[key.id]));
  return { shown: [...made, ...configured], issued: keys };
}

/** Makes a key. The answer is the only place where it is. */
async function made(c: Context<Env>, wish: KeysChange & { newId: string }): Promise<MadeKey> {
  const settings = settingsOf(c.env);
  const [pepper] = await peppersOf(settings);
  if (pepper === undefined) throw new GatewayError({ reason: "keys_off" });
  const { key, warnings } = await change(c, wish);
  const open = settings.authMode === "open" ? [OPEN_EDGE_TEXT] : [];
  return { ...key, key: await tokenOf(pepper, key.id), warnings: [...open, ...warnings] };
}

/** Resolves when the change is in force for new calls everywhere. */
async function change(c: Context<Env>, wish: KeysChange) {
  const result = await aggregatorOf(c.env).changeKeys(wish, c.get("requestId"));
  if (result.refusal !== null) throw new GatewayError(result.refusal);
  forgetBoxes();
  return result;
}

/** The rights of keys and of people: the scopes, what each includes, and those of each role. The one table. */
import type { Scope } from "./routes.ts";

/** A scope also allows what it includes. */
const INCLUDED: Readonly<Record<Scope, readonly Scope[]>> = {
  infer: [],
  metrics: [],
  stats: [],
  text: [],
  read: ["metrics", "stats", "text"],
  models: [],
  admin: ["models"],
};

/** Every scope, in the order in which they are shown. */
export const SCOPES = ["infer", "read", "metrics", "stats", "text", "models", "admin"] as const;

/** The roles of people, the most powerful first. */
export const ROLES = ["owner", "operator", "member"] as const;
export type Role = (typeof ROLES)[number];

const ROLE_SCOPES: Readonly<Record<Role, readonly Scope[]>> = {
  owner: SCOPES,
  operator: ["infer", "stats", "text", "metrics", "models"],
  member: ["infer"],
};

/** Returns everything that these scopes allow. */
export const allowedBy = (scopes: Iterable<Scope>): ReadonlySet<Scope> =>
  new Set([...scopes].flatMap((scope) => [scope, ...INCLUDED[scope]]));

export const scopesOfRole = (role: Role): ReadonlySet<Scope> => allowedBy(ROLE_SCOPES[role]);

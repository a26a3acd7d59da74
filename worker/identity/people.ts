/** The people that an identity provider names, and the roles that the settings give them. Pure. */
import { ROLES, type Role } from "../../protocol/scopes.ts";

/** A person, as the provider vouches for. Groups are those that the settings mention. */
export type Person = {
  /** The email in lower case; without one, a hash of the subject. */
  name: string;
  groups: readonly string[];
};

/** An entry of a list of people: one email, all of a domain, or a group. */
export type Matcher = { kind: "email" | "domain" | "group"; value: string };

export type RolePeople = Readonly<Record<Role, readonly Matcher[]>>;

/** Returns the most powerful role of a person; null for a stranger. */
export const roleOf = (person: Person, people: RolePeople): Role | null =>
  ROLES.find((role) => people[role].some((matcher) => matches(matcher, person))) ?? null;

/** Returns the groups of these that some role mentions. The others would only fill cookies. */
export function mentionedGroups(groups: readonly string[], people: RolePeople): string[] {
  const mentioned = ROLES.flatMap((role) => people[role]).filter(({ kind }) => kind === "group");
  return groups.filter((group) => mentioned.some(({ value }) => value === group));
}

function matches({ kind, value }: Matcher, { name, groups }: Person): boolean {
  if (kind === "group") return groups.includes(value);
  return kind === "email" ? name === value : name.endsWith(value);
}

/** Parses `ada@example.com`, `*@example.com` or `group:gpu-team`; null for anything else. */
export function matcherOf(text: string): Matcher | null {
  const group = /^group:([^\s,]{1,200})$/.exec(text)?.[1];
  if (group !== undefined) return { kind: "group", value: group };
  const [, local, domain] =
    /^(\*|[^\s@*,]{1,64})@((?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63})$/i.exec(text) ?? [];
  if (local === undefined || domain === undefined) return null;
  return local === "*"
    ? { kind: "domain", value: `@${domain.toLowerCase()}` }
    : { kind: "email", value: text.toLowerCase() };
}

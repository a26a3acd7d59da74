/** Settings of the sign-in by an identity provider: who vouches for people, and what role each has. */
import * as z from "zod";
import { ROLES } from "../../protocol/scopes.ts";
import { type Matcher, matcherOf, type RolePeople } from "./people.ts";

/** The edge, as the issuer knows it. `secret`: null for a public client. */
export type IdentityClient = { id: string; secret: string | null; scopes: string };

export type IdentitySettings = {
  issuer: string;
  audiences: readonly string[];
  /** Where the public keys are; null: the issuer's configuration names it. */
  keysUrl: string | null;
  groupsClaim: string;
  people: RolePeople;
  /** Null if the page sends nobody to the issuer. */
  client: IdentityClient | null;
};

const CLOUDFLARE_ACCESS = ".cloudflareaccess.com";

/** Loopback addresses are for tests and for a provider on the same machine. */
const isSafe = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && /^(localhost|127\.0\.0\.1)$/.test(hostname));

const address = z
  .string()
  .refine((text) => {
    const url = URL.parse(text);
    return url !== null && isSafe(url) && url.username === "" && url.hash === "";
  }, "must be an https address")
  .optional();

const people = z.string().default("").transform(matchersOf);

const PEOPLE = "`ada@example.com`, `*@example.com` or `group:gpu-team`, separated by commas";

export const IDENTITY_VARIABLES = {
  OIDC_ISSUER: address.describe(
    "the identity provider that people [sign in](sign-in.md) with, as its tokens name it: " +
      "`https://team.cloudflareaccess.com` for Cloudflare Access, or any OIDC issuer",
  ),
  OIDC_AUDIENCE: z
    .string()
    .transform((text) => text.split(",").flatMap((part) => part.trim() || []))
    .refine((all) => all.length > 0 && all.length <= 10, "must name 1 to 10 audiences")
    .optional()
    .describe(
      "whom the tokens must be for: the Application Audience tag of Cloudflare Access, or the client id at " +
        "the issuer. Several are separated by commas",
    ),
  OIDC_CLIENT_ID: z
    .string()
    .max(500)
    .optional()
    .describe(
      "the client id of the edge at the issuer, one of OIDC_AUDIENCE. With it, the page [signs people " +
        "in](sign-in.md#another-issuer) there",
    ),
  OIDC_CLIENT_SECRET: z
    .string()
    .max(500)
    .optional()
    .describe("the secret of OIDC_CLIENT_ID, if the issuer gave it one"),
  OIDC_SCOPES: z
    .string()
    .regex(/^openid( [\x21\x23-\x5B\x5D-\x7E]+)*$/, "must be a list that begins with openid")
    .default("openid email profile")
    .describe("the scopes that the page requests from the issuer; some issuers need `groups` too"),
  OIDC_KEYS_URL: address.describe(
    "where the issuer publishes its keys (JWKS). Without it, the issuer's configuration names it; for " +
      "Cloudflare Access it is known",
  ),
  OIDC_GROUPS_CLAIM: z
    .string()
    .regex(/^[\w.:/-]{1,100}$/, "must be the name of a claim")
    .default("groups")
    .describe("the claim that lists the groups of a person"),
  OIDC_OWNERS: people.describe(`people with every right: ${PEOPLE}`),
  OIDC_OPERATORS: people.describe(
    "people who may call, read everything, and change models, pins and benches. In the same form",
  ),
  OIDC_MEMBERS: people.describe("people who may only call. In the same form"),
};

const Variables = z.object(IDENTITY_VARIABLES);
type Variables = z.infer<typeof Variables>;

const LISTS = { owner: "OIDC_OWNERS", operator: "OIDC_OPERATORS", member: "OIDC_MEMBERS" } as const;

/** Reports settings that would admit nobody, or people whom nobody vouches for. */
export function checkIdentity(set: Variables, context: z.RefinementCtx): void {
  const issue = (name: keyof Variables, message: string) =>
    context.addIssue({ code: "custom", path: [name], message });
  const listed = ROLES.filter((role) => set[LISTS[role]].length > 0);
  if (set.OIDC_ISSUER === undefined) {
    if (set.OIDC_AUDIENCE !== undefined) issue("OIDC_AUDIENCE", "needs OIDC_ISSUER");
    if (set.OIDC_CLIENT_ID !== undefined) issue("OIDC_CLIENT_ID", "needs OIDC_ISSUER");
    if (set.OIDC_KEYS_URL !== undefined) issue("OIDC_KEYS_URL", "needs OIDC_ISSUER");
    for (const role of listed) issue(LISTS[role], "needs OIDC_ISSUER, which vouches for people");
    return;
  }
  if (set.OIDC_AUDIENCE === undefined)
    issue("OIDC_AUDIENCE", "must be set because OIDC_ISSUER is: tokens for others would be valid");
  if (set.OIDC_CLIENT_ID !== undefined && set.OIDC_AUDIENCE?.includes(set.OIDC_CLIENT_ID) === false)
    issue("OIDC_CLIENT_ID", "must be one of OIDC_AUDIENCE: its tokens are for it");
  if (set.OIDC_CLIENT_ID === undefined && set.OIDC_CLIENT_SECRET !== undefined)
    issue("OIDC_CLIENT_SECRET", "needs OIDC_CLIENT_ID");
  if (listed.length === 0)
    issue("OIDC_OWNERS", "is empty like OIDC_OPERATORS and OIDC_MEMBERS: nobody could sign in");
  const all = ROLES.flatMap((role) =>
    set[LISTS[role]].map(({ kind, value }) => ({ role, text: `${kind} ${value}` })),
  );
  for (const { role, text } of all) {
    const first = all.find((each) => each.text === text);
    if (first !== undefined && first.role !== role)
      issue(LISTS[role], `names ${text} like ${LISTS[first.role]}: name each once`);
  }
}

/** Returns the settings; null if no issuer is configured. */
export function identitySettings(set: Variables): IdentitySettings | null {
  if (set.OIDC_ISSUER === undefined) return null;
  // A trailing slash is part of the names of some issuers, and not of their folders.
  const folder = set.OIDC_ISSUER.replace(/\/$/, "");
  const isAccess = new URL(folder).hostname.endsWith(CLOUDFLARE_ACCESS);
  return {
    issuer: set.OIDC_ISSUER,
    audiences: set.OIDC_AUDIENCE ?? [],
    keysUrl: set.OIDC_KEYS_URL ?? (isAccess ? `${folder}/cdn-cgi/access/certs` : null),
    groupsClaim: set.OIDC_GROUPS_CLAIM,
    client:
      set.OIDC_CLIENT_ID === undefined
        ? null
        : {
            id: set.OIDC_CLIENT_ID,
            secret: set.OIDC_CLIENT_SECRET ?? null,
            scopes: set.OIDC_SCOPES,
          },
    people: {
      owner: set.OIDC_OWNERS,
      operator: set.OIDC_OPERATORS,
      member: set.OIDC_MEMBERS,
    },
  };
}

function matchersOf(text: string, context: z.RefinementCtx): Matcher[] {
  return text.split(",").flatMap((part) => {
    const entry = part.trim();
    if (entry === "") return [];
    const matcher = matcherOf(entry);
    if (matcher === null)
      context.addIssue(
        `must be a list of ada@example.com, *@example.com or group:name, separated by commas; got ${JSON.stringify(entry.slice(0, 100))}`,
      );
    return matcher ?? [];
  });
}

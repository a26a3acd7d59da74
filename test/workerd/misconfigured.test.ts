/** A Worker whose settings make no sense. It cannot refuse to start, so it refuses every call. */
import { expect, test } from "vitest";
import { ADMIN, BOX, bearer, CALLER, call, keys, READ } from "./keyed-edge.ts";

const OIDC_ISSUER = "https://id.example";
const OIDC_OWNERS = "ada@example.com";

test.each([
  ["no admin key", { ADMIN_KEY: undefined }, /ADMIN_KEY must be set/],
  ["a short key", { CALLER_KEY: "short" }, /CALLER_KEY must have at least 16/],
  ["two equal keys", { CALLER_KEY: ADMIN }, /CALLER_KEY must differ from ADMIN_KEY/],
  ["equal keys that read", { METRICS_KEY: READ }, /METRICS_KEY must differ from READ_KEY/],
  ["a key of one letter", { ADMIN_KEY: "aaaaaaaaaaaaaaaa" }, /ADMIN_KEY is easy to guess/],
  ["a key of few letters", { READ_KEY: "abcabdabcaabbaaccd" }, /READ_KEY is easy to guess/],
  ["a repeated pattern", { CALLER_KEY: "secret-secret-secret" }, /CALLER_KEY is easy to guess/],
  [
    "a weak box secret",
    { BOX_SECRETS: "home=0123456701234567" },
    /BOX_SECRETS must give box home a secret that is hard to guess/,
  ],
  ["an unknown auth mode", { AUTH_MODE: "none" }, /AUTH_MODE must be "keys" or "open"/],
  ["secrets that are not a list", { BOX_SECRETS: "home" }, /BOX_SECRETS must be a list/],
  [
    "a short box secret",
    { BOX_SECRETS: "home=short" },
    /BOX_SECRETS must give box home a secret of at least 16/,
  ],
  [
    "an instrumentation flag of yes",
    { ENABLE_INSTRUMENTATION: "yes" },
    /ENABLE_INSTRUMENTATION must be "true" or "false"/,
  ],
  [
    "an unknown exporter",
    { EXPORTER_TYPE: "mysql" },
    /EXPORTER_TYPE must be "none", "clickhouse", "postgres" or "both"/,
  ],
  [
    "an interval of 0",
    { METRICS_EXPORT_INTERVAL: "0" },
    /METRICS_EXPORT_INTERVAL must be a whole number of seconds from 1/,
  ],
  [
    "a retention of 0",
    { RETENTION_LOGS_DAYS: "0" },
    /RETENTION_LOGS_DAYS must be a whole number of days from 1 to 90/,
  ],
  [
    "a retention that is no number",
    { RETENTION_SAMPLES_HOURS: "1 day" },
    /RETENTION_SAMPLES_HOURS must be a whole number of hours from 1 to 168/,
  ],
  [
    "an audit log of a day",
    { RETENTION_AUDIT_DAYS: "1" },
    /RETENTION_AUDIT_DAYS must be a whole number of days from 30 to 3650/,
  ],
  [
    "texts that outlive their records",
    { RETENTION_TEXTS_HOURS: "25", RETENTION_LOGS_DAYS: "1" },
    /RETENTION_TEXTS_HOURS must not exceed RETENTION_LOGS_DAYS, which is 1/,
  ],
  [
    "headers of a collector that are not a list",
    { OTEL_EXPORTER_OTLP_HEADERS: CALLER },
    /OTEL_EXPORTER_OTLP_HEADERS must be a list of name=value/,
  ],
  ["a database address that is not a URL", { DATABASE_URL: "neon" }, /DATABASE_URL is not a URL/],
  [
    "a database address of another protocol",
    { DATABASE_URL: `https://u:${CALLER}@pg.example/db` },
    /DATABASE_URL is not of the form postgresql:/,
  ],
  [
    "a database without a user",
    { DATABASE_URL: "postgres://pg.example/db" },
    /DATABASE_URL lacks one of user, password, host and database/,
  ],
  [
    "a password in the ClickHouse address",
    { CLICKHOUSE_URL: `https://u:${CALLER}@ch.example` },
    /CLICKHOUSE_URL must contain only a host and a port/,
  ],
  [
    "a database name that needs quoting",
    { CLICKHOUSE_DATABASE: "a;b" },
    /CLICKHOUSE_DATABASE is not a name/,
  ],
  [
    "an external store without an address",
    { EXPORTER_TYPE: "both", DATABASE_URL: "postgres://u:p@h/d" },
    /CLICKHOUSE_URL is not set, but EXPORTER_TYPE is both/,
  ],
  ["an issuer on plain http", { OIDC_ISSUER: "http://id.example" }, /OIDC_ISSUER must be an https/],
  ["an issuer that is no address", { OIDC_ISSUER: "team" }, /OIDC_ISSUER must be an https address/],
  ["an issuer without an audience", { OIDC_ISSUER, OIDC_OWNERS }, /OIDC_AUDIENCE must be set/],
  ["an audience of nothing", { OIDC_ISSUER, OIDC_OWNERS, OIDC_AUDIENCE: " , " }, /OIDC_AUDIENCE/],
  ["an audience without an issuer", { OIDC_AUDIENCE: "x" }, /OIDC_AUDIENCE needs OIDC_ISSUER/],
  ["people whom nobody vouches for", { OIDC_OWNERS }, /OIDC_OWNERS needs OIDC_ISSUER/],
  ["an issuer and no people", { OIDC_ISSUER, OIDC_AUDIENCE: "x" }, /nobody could sign in/],
  [
    "everybody as an owner",
    { OIDC_ISSUER, OIDC_AUDIENCE: "x", OIDC_OWNERS: "*" },
    /OIDC_OWNERS must be a list of ada@example.com, \*@example.com or group:name/,
  ],
  [
    "a person with two roles",
    { OIDC_ISSUER, OIDC_AUDIENCE: "x", OIDC_OWNERS, OIDC_MEMBERS: OIDC_OWNERS },
    /OIDC_MEMBERS names email ada@example.com like OIDC_OWNERS/,
  ],
  [
    "a claim of two words",
    { OIDC_GROUPS_CLAIM: "my groups" },
    /OIDC_GROUPS_CLAIM must be the name/,
  ],
  [
    "one box listed twice",
    { BOX_SECRETS: `home=${BOX},home=${BOX}` },
    /BOX_SECRETS must name box home only once/,
  ],
])(
  "with %s, refuses every call and names the variable but not its value",
  async (_name, more, message) => {
    const answer = await call("/api/health", { headers: bearer(ADMIN) }, keys(more));
    expect(answer.status).toBe(503);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({
      error: { code: "misconfigured", message: expect.stringMatching(message) },
    });
    for (const secret of [ADMIN, BOX, CALLER]) expect(text).not.toContain(secret);
  },
);

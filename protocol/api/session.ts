/** `/api/session`: a browser signs in once, and script never sees the key again. */
import * as z from "zod";
import type { ApiRoute } from "./route.ts";
import { ScopeName, Time } from "./shapes.ts";

export const SignIn = z
  .strictObject({
    key: z
      .string()
      .min(1)
      .max(16_384)
      .describe("an API key, or a token of the identity provider (JWT)"),
  })
  .meta({ id: "SignIn" });

/** `POST /api/session`. */
export const SignedIn = z
  .object({
    scopes: z.array(ScopeName).describe("the scopes of the key"),
    expires_at: Time.nullable().describe("null in open mode, which needs no session"),
  })
  .meta({ id: "SignedIn" });
export type SignedIn = z.infer<typeof SignedIn>;

/** `DELETE /api/session`. */
export const SignedOut = z.object({ status: z.literal("signed_out") }).meta({ id: "SignedOut" });

/** `GET /api/session`. */
export const SignInWays = z
  .object({
    issuer: z
      .string()
      .nullable()
      .describe("the host of the identity provider that the page sends people to; null for none"),
  })
  .meta({ id: "SignInWays" });
export type SignInWays = z.infer<typeof SignInWays>;

export const SESSION_ROUTES = {
  signInWays: {
    method: "GET",
    path: "/api/session",
    scope: null,
    tag: "Session",
    summary: "Get the ways to sign in",
    answer: SignInWays,
  },
  signIn: {
    method: "POST",
    audit: "signed_in",
    path: "/api/session",
    scope: null,
    tag: "Session",
    summary: "Sign a browser in",
    description: [
      "Sets a cookie that script cannot read and that stands for the key, with its scopes. It ends when",
      "the browser closes, after 7 days, when the key is replaced, or with DELETE. A token of the identity",
      "provider begins a session of its person, for 8 hours. Programs send their key with each request instead.",
    ].join(" "),
    body: SignIn,
    answer: SignedIn,
  },
  signOut: {
    method: "DELETE",
    audit: null,
    path: "/api/session",
    scope: null,
    tag: "Session",
    summary: "Sign a browser out",
    answer: SignedOut,
  },
} as const satisfies Record<string, ApiRoute>;

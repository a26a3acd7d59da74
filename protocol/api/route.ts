/** A route of `/api`, as data: what the Worker checks calls by, and what the API's description is made from. */
import type { z } from "zod";
import type { Scope } from "../routes.ts";

export type ApiRoute = {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As OpenAPI writes it. A `{parameter}` may hold `/`, raw or as `%2F`: names of models do. */
  path: `/${string}`;
  /** What a key must be allowed to do; null: no key is needed, since the answer says nothing of this gateway. */
  scope: Scope | null;
  /** The heading under which the route is described. */
  tag: string;
  /** One line. */
  summary: string;
  description?: string;
  params?: z.ZodType;
  query?: z.ZodType;
  body?: z.ZodType;
  /** The JSON answer; null when it is none. */
  answer: z.ZodType | null;
  /** Other forms of the answer: media type and what it holds. */
  media?: Record<string, string>;
};

/**
 * A route of `/api`, as data. The Worker checks requests against it, and the OpenAPI document is
 * generated from it.
 */
import type * as z from "zod";
import type { AuditAction } from "../audit.ts";
import type { Scope } from "../routes.ts";

/** A route that may change something states how the audit log calls that. */
type Method =
  | { method: "GET" }
  | {
      method: "POST" | "PUT" | "PATCH" | "DELETE";
      /** null: it changes nothing, or its calls have records. */
      audit: AuditAction | null;
      /** Fields of the body that the audit log leaves out. */
      secrets?: readonly string[];
      /** The answer contains a secret that is shown once, to a person. */
      showsSecret?: true;
    };

/** The last event of a task that has done what it should, and that of one that has not. */
export type LastEvent = { success: z.ZodType; failure: z.ZodType };

export type ApiRoute = Method & {
  /**
   * In OpenAPI's notation. A `{parameter}` can contain `/`, raw or as `%2F`, because model names
   * do.
   */
  path: `/${string}`;
  /**
   * Scope that a key needs. `any` admits every valid key; null admits callers without one, because the
   * answer reveals nothing about this edge.
   */
  scope: Scope | "any" | null;
  /** Heading in the API documentation. */
  tag: string;
  /** One line, without a full stop. */
  summary: string;
  description?: string;
  params?: z.ZodType;
  query?: z.ZodType;
  body?: z.ZodType;
  /** The JSON answer; null if the answer is not JSON. */
  answer: z.ZodType | null;
  /**
   * The last event of an answer that is a stream of events about one task. Such a route is a tool for models,
   * whose result is that event.
   */
  lastEvent?: LastEvent;
  /** Other media types of the answer, with their descriptions. */
  media?: Record<string, string>;
};

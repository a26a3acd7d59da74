/** zod at the door: a bad request leaves through the same `onError` as every other failure. */
import { zValidator } from "@hono/zod-validator";
import type { ValidationTargets } from "hono";
import { z } from "zod";
import { GatewayError } from "./errors.ts";

export const valid = <Target extends keyof ValidationTargets, Schema extends z.ZodType>(target: Target, schema: Schema) =>
  zValidator(target, schema, (result) => {
    if (!result.success) throw new GatewayError({ reason: "bad_request", what: z.prettifyError(result.error) });
  });

/**
 * Distinguishes a caller that left in the middle of its upload from one that sent a malformed body.
 * Pure.
 */
import { BROKEN_BODY, type FailureReason } from "../errors.ts";

/**
 * Returns why a body could not be read. A caller that leaves has a message of its own; workerd hides
 * the one of a malformed chunk.
 */
export const uploadFailure = (error: unknown): FailureReason =>
  error instanceof Error && error.message.startsWith("internal error")
    ? BROKEN_BODY
    : { reason: "caller_left" };

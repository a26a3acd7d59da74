/** The error messages that replace stored ones when an external store erases its texts. Pure. */
import type * as z from "zod";
import { withoutText } from "../../protocol/kept-text.ts";
import { RequestRecord } from "../../protocol/records.ts";

/** A kind of failure that has messages in a store. */
export const StoredFailure = RequestRecord.pick({ failed_at: true, http_status: true });
type StoredFailure = z.infer<typeof StoredFailure>;

/** One statement for each: rows of this kind get this message. */
export type ErasedMessage = StoredFailure & { message: string };

/** Returns the kinds whose messages may quote a text, with the message that each gets. */
export const erasedMessages = (failures: readonly StoredFailure[]): ErasedMessage[] =>
  failures.flatMap((failure) => {
    const stored = { ...failure, prompt: null, response: null, error_message: "" };
    const message = withoutText(stored).error_message;
    return message === null || message === "" ? [] : [{ ...failure, message }];
  });

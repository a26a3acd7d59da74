/** Removes texts from stored records, as if text had been off when they arrived. Pure. */
import * as z from "zod";
import { withoutText } from "../../protocol/kept-text.ts";
import { RequestRecord } from "../../protocol/records.ts";
import type { StoredRow } from "./ledger-page.ts";

/** Accepts any length: a text that is too long for a record is erased, too. */
const text = z.string().nullable();
const Texts = RequestRecord.pick({ failed_at: true, http_status: true }).extend({
  error_message: text,
  prompt: text,
  response: text,
});

/** @param instead  the sentence in place of an error message that may quote a text */
export const withoutTexts = (row: StoredRow, instead?: string): StoredRow => ({
  ...row,
  ...withoutText(Texts.parse(row), instead),
});

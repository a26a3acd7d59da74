/** Redaction: what is removed from the texts of records, what stays, and how long it takes. */
import { expect, test } from "vitest";
import { REDACTED_KINDS } from "../../../../agent/redact/patterns.ts";
import { redactedTexts, redactOf } from "../../../../agent/redact/redaction.ts";
import { RESPONSE_CHARS_MAX } from "../../../../protocol/limits.ts";

const all = (text: string, words: string[] = []) => redactOf(REDACTED_KINDS, words)?.(text);

test.each([
  ["Write to ada.l+x@mail.example.co.uk, please.", "Write to [email], please."],
  ["<a@b.io>;c_d@e-f.org", "<[email]>;[email]"],
  ["+49 (0)30 901820-12 or +1-202-555-0147", "[phone] or [phone]"],
  ["Card 4111 1111 1111 1111, 5500-0000-0000-0004.", "Card [card], [card]."],
  ["DE89 3704 0044 0532 0130 00 and gb82west12345698765432", "[iban] and [iban]"],
  ["10.0.0.255:80, ::1, 2001:db8::8a2e:370:7334", "[ip]:80, [ip], [ip]"],
  ["key=sk-proj-abcdefghijkl123456", "key=[secret]"],
  ["ghp_0123456789abcdefABCDEF and AKIAIOSFODNN7EXAMPLE", "[secret] and [secret]"],
  ["postgres://ada:hunter2@db.example.com/x", "postgres://ada:[secret]@db.example.com/x"],
  ["Authorization: Bearer abcdef.0123456789", "Authorization: Bearer [secret]"],
  [`token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln!`, "token [secret]!"],
  ["-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nrest", "[secret]\nrest"],
  ["-----BEGIN PRIVATE KEY-----\nMIIE and no end", "[secret]"],
])("%s", (text, redacted) => {
  expect(all(text)).toBe(redacted);
});

test.each([
  "At 12:30:15 on 2026-11-27, 1.2.3 of 4.5.6.7.8 was released.",
  "4111 1111 1111 1112 is no card, and 0000 0000 0000 0000 neither.",
  "DE00 3704 0044 0532 0130 00 has wrong check digits.",
  "999.1.1.1 and 1234567890 and 3.14159265358979",
  "std::vector<int>, a::b, user@localhost, C++ and task-0123456789ab",
  "Prompt tokens: 123456789012345 in the desk-sk of sketches.",
])("leaves %s", (text) => {
  expect(all(text)).toBe(text);
});

test("removes words in any case, the longer of two that overlap", () => {
  const redact = redactOf([], ["Atlas", "atlas project", "C++ (new)", "größe"]);
  expect(redact?.("The ATLAS Project of atlas: c++ (new), GRÖSSE, Größe.")).toBe(
    "The [redacted] of [redacted]: [redacted], GRÖSSE, [redacted].",
  );
});

test("removes only the kinds that are named, and nothing without any", () => {
  expect(redactOf(["ip"], [])?.("a@b.io 10.0.0.1")).toBe("a@b.io [ip]");
  expect(redactOf([], [])).toBeNull();
});

test("leaves no part of a match that the cut of a long text divided", () => {
  const text = `${"x ".repeat(500)}ada@exam… [1234 more characters cut]</think>\n\nada@b.io… [7 more characters cut]`;
  const shown = all(text) ?? "";
  expect(shown).not.toContain("ada");
  expect(shown).toMatch(/^(x )+… \[1634 more characters cut\]… \[\d+ more characters cut\]$/);
});

test("keeps records within their bounds, although a replacement may be longer", () => {
  const redact = redactOf(REDACTED_KINDS, []) ?? ((text: string) => text);
  const response = "a@b.c ".repeat(RESPONSE_CHARS_MAX / 6);
  const shown = redactedTexts({ response, prompt: null, error_message: "for a@b.c" }, redact);
  expect(shown.response?.length).toBeLessThan(RESPONSE_CHARS_MAX + 64);
  expect([shown.prompt, shown.error_message]).toEqual([null, "for [email]"]);
});

/** Texts on which careless patterns take forever. */
const HOSTILE: [name: string, piece: string][] = [
  ["letters", "a"],
  ["digits", "1"],
  ["digits and spaces", "1 "],
  ["dots", "a."],
  ["ats", "a@"],
  ["domains", "a@a.a.a.a.a.a.a.a.a."],
  ["colons", ":"],
  ["colons and digits", "1:"],
  ["plus signs", "+1 "],
  ["account numbers", "DE89 "],
  ["addresses", "://a:"],
  ["begins of keys", "-----BEGIN PRIVATE KEY-----"],
  ["begins of tokens", "eyJaaaaaaaa."],
  ["underscores", "_"],
  ["dashes", "sk-"],
  ["marks of cuts", "… [1 more characters cut]"],
];

test.each(HOSTILE)("takes a bounded time for %s", (_name, piece) => {
  const words = Array.from({ length: 100 }, (_, n) => `${"a1".repeat(20)}${n}`);
  const text = piece.repeat(Math.ceil(RESPONSE_CHARS_MAX / piece.length));
  all(text.slice(0, 1_000), words); // compiles the patterns
  const before = process.cpuUsage();
  all(text, words);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(1_000);
});

/**
 * The kinds of data that the agent can remove from texts. Pure.
 *
 * Each pattern is ours: where a repetition is inside another, a character separates its rounds that it cannot
 * match itself, and what may fail at its end is short. So the time for a text grows with its length only,
 * whatever somebody writes. Patterns of users could not promise that.
 */

/** @property charsOf  returns how much of the start of a find is one; 0: it looks like one by chance */
export type Pattern = { find: RegExp; charsOf?: (found: string) => number };

/** In the order in which they are removed. */
export const REDACTED_KINDS = ["secret", "email", "phone", "card", "iban", "ip"] as const;
export type RedactedKind = (typeof REDACTED_KINDS)[number];

const SECRETS: readonly Pattern[] = [
  // An end that is missing was cut off.
  { find: /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,30}-----)?/g },
  { find: /\beyJ[\w-]{8,}(?:\.[\w-]*){0,2}/g },
  { find: /\b(?:sk|pk|rk)[-_][\w-]{12,}/g },
  { find: /\b(?:gh[opsru]_|github_pat_|glpat-|xox[abeprs]-|hf_|npm_|oes_)[\w-]{12,}/g },
  { find: /\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bAIza[\w-]{20,}/g },
  { find: /(?<=:\/\/[^\s/:@]{1,64}:)[^\s/@]{1,256}(?=@)/g },
  { find: /(?<=\bBearer )[\w.~+/=-]{12,}/gi },
];

export const PATTERNS: Readonly<Record<RedactedKind, readonly Pattern[]>> = {
  secret: SECRETS,
  email: [{ find: /[\w.%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}/gi }],
  // International numbers only: others look like any figures.
  phone: [{ find: /(?<![\w+])\+\d{1,3}(?:[ .()-]{0,2}\d){6,13}(?!\d)/g }],
  card: [{ find: /(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]?\d)/g, charsOf: wholeIf(isCard) }],
  iban: [{ find: /\b[a-z]{2}\d{2}(?: ?[a-z0-9]){11,30}(?![a-z0-9])/gi, charsOf: charsOfIban }],
  ip: [
    { find: /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)/g, charsOf: wholeIf(isIpv4) },
    { find: /(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])/gi, charsOf: wholeIf(isIpv6) },
  ],
};

/** The check digit of card numbers (Luhn). */
function isCard(text: string): boolean {
  const digits = text.replace(/\D/g, "");
  const sum = [...digits].reverse().reduce((total, digit, at) => {
    const value = Number(digit) * (at % 2 === 0 ? 1 : 2);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0 && /[1-9]/.test(digits);
}

function wholeIf(isOne: (found: string) => boolean): (found: string) => number {
  return (found) => (isOne(found) ? found.length : 0);
}

/** Words that follow an account number look like its groups. */
function charsOfIban(found: string): number {
  for (let chars = found.length; chars > 0; chars = found.lastIndexOf(" ", chars - 1))
    if (isIban(found.slice(0, chars))) return chars;
  return 0;
}

/** The check digits of account numbers (ISO 7064, modulo 97). */
function isIban(text: string): boolean {
  const plain = text.replaceAll(" ", "").toLowerCase();
  let rest = 0;
  for (const character of plain.slice(4) + plain.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

function isIpv4(text: string): boolean {
  return text.split(".").every((part) => Number(part) <= 255);
}

/** A time of day like 12:30:15 is no address, and neither is a name in C++ like a::b. */
function isIpv6(text: string): boolean {
  const groups = text.split(":");
  return /\d/.test(text) && (text.includes("::") ? groups.length <= 8 : groups.length === 8);
}

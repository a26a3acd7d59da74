/** Keys that the edge makes: recognised by their MAC alone, and invented ones never. */
import { expect, test } from "vitest";
import { isToken, newKeyId, pepperOf, recognise, tokenOf } from "../../../../worker/keys/token.ts";

const PEPPER = "a-pepper-of-some-length";
const OTHER = "another-pepper-of-length";

test("recognises a key that it made, with its id, and makes the same key again", async () => {
  const pepper = await pepperOf(PEPPER);
  const id = newKeyId();
  const token = await tokenOf(pepper, id);
  expect(token).toMatch(/^oes_[0-9a-f]{20}_[0-9a-f]{64}$/);
  expect(await tokenOf(await pepperOf(PEPPER), id)).toBe(token);
  expect(await recognise(token, [pepper])).toEqual({ id });
});

test("recognises keys of an earlier pepper while it has it, and reports when it no longer does", async () => {
  const [old, now] = [await pepperOf(OTHER), await pepperOf(PEPPER)];
  const token = await tokenOf(old, newKeyId());
  expect(await recognise(token, [now, old])).toMatchObject({ id: expect.any(String) });
  expect(await recognise(token, [now])).toBe("old_pepper");
});

test("takes no key of which any digit was changed", async () => {
  const pepper = await pepperOf(PEPPER);
  const token = await tokenOf(pepper, newKeyId());
  for (let at = 4; at < token.length; at++) {
    const digit = token[at] === "0" ? "1" : "0";
    const forged = token.slice(0, at) + digit + token.slice(at + 1);
    expect(await recognise(forged, [pepper]), forged).toBeTypeOf("string");
  }
});

test("takes no invented text", async () => {
  const pepper = await pepperOf(PEPPER);
  const hex = (length: number) =>
    Array.from({ length }, () => Math.floor(Math.random() * 16).toString(16)).join("");
  for (let n = 0; n < 2_000; n++)
    expect(await recognise(`oes_${pepper.name}${hex(16)}_${hex(64)}`, [pepper])).toBe("invented");
  const token = await tokenOf(pepper, newKeyId());
  const texts = [
    "",
    "oes_",
    `${token} `,
    ` ${token}`,
    token.toUpperCase(),
    `${token}0`,
    token.slice(1),
  ];
  for (const text of texts) {
    expect(isToken(text), text).toBe(false);
    expect(await recognise(text, [pepper]), text).toBe("invented");
  }
});

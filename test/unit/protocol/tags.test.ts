import { expect, test } from "vitest";
import { checkBody } from "../../../protocol/body-policy.ts";
import { callerTag, TAG_CHARS_MAX } from "../../../protocol/tags.ts";
import { aim } from "../../../protocol/target.ts";

function endUserOf(body: string) {
  const aimed = aim("POST", "/v1/chat/completions");
  if (!aimed.ok) throw new Error("no route");
  const checked = checkBody(aimed.target.route, new TextEncoder().encode(body));
  if (!checked.ok) throw new Error(checked.failure.reason);
  return checked.body.endUser;
}

const LONG = "é".repeat(TAG_CHARS_MAX + 1);

test.each([
  ["OpenAI's user", '{"model":"m","user":"ada"}', "ada"],
  ["a user in escapes and other case", '{"User":"\\u0061d\\u0061"}', "ada"],
  ["the last of two users, as Ollama reads fields", '{"user":"ada","user":"bob"}', "bob"],
  ["Anthropic's user", '{"metadata":{"user_id":"ada"}}', "ada"],
  ["a user before a user of the metadata", '{"user":"ada","metadata":{"user_id":"bob"}}', "ada"],
  ["a user with spaces around it", '{"user":" ada "}', "ada"],
  ["a long user, cut", `{"user":${JSON.stringify(LONG)}}`, LONG.slice(0, TAG_CHARS_MAX)],
  ["half a character", '{"user":"\\ud83d"}', "\ufffd"],
  ["an empty user", '{"user":" "}', null],
  ["a user that is no text", '{"user":7}', null],
  ["metadata without a user", '{"metadata":{"user":"ada"}}', null],
  ["metadata that is no object", '{"metadata":[1]}', null],
  ["a user of the metadata that is no text", '{"metadata":{"user_id":{}}}', null],
  [
    "metadata that is too long to be read",
    `{"metadata":{"a":"${"x".repeat(5_000)}","user_id":"ada"}}`,
    null,
  ],
  ["no user", '{"model":"m"}', null],
])("reads %s", (_description, body, expected) => {
  expect(endUserOf(body)).toBe(expected);
});

test("a tag without any text is no tag", () => {
  expect([null, undefined, "", "  "].map(callerTag)).toEqual([null, null, null, null]);
});

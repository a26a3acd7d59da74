/** An answer as a call for a terminal, which a real shell runs. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pendingAnswer, userMessage } from "../../../dashboard/shape/chat.ts";
import { chatCurl } from "../../../dashboard/shape/chat-curl.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const ORIGIN = "http://127.0.0.1:8000";
const HARD = `It's "$HOME" \`date\` \\ $(date) "images":["0"] — 🙂\nEND\n`;
const options = { system: "Be brief.", temperature: "0", maxTokens: "" };
const PHOTO = { name: "it's a photo.png", type: "image/png", sizeBytes: 4, data: "unused" };

/** Runs a command in a shell in which curl prints its arguments and its input, a line each. */
function run(command: string, cwd: string): { args: string[]; body: unknown } {
  const stand = `curl() { for last; do printf '%s\\0' "$last"; done; if [ "$last" = @- ]; then cat; fi; }`;
  const out = execFileSync("sh", ["-c", `${stand}\n${command}`], { cwd, encoding: "utf8" });
  const words = out.split("\0");
  const input = words.pop() ?? "";
  return { args: words, body: JSON.parse(input === "" ? (words.at(-1) ?? "") : input) };
}

test("a shell sends what the page sent, with images from their files", () => {
  const folder = temporaryFolder("chat-curl-");
  writeFileSync(join(folder, PHOTO.name), "abcd");
  const asked = { options, box: "atlas", hasImages: true };
  const answer = { ...pendingAnswer("llama3.2", 0), asked };
  const messages = [{ role: "system", content: "Be brief." }];

  const plain = chatCurl([userMessage(HARD)], answer, { origin: ORIGIN, isOpen: true });
  const { args, body } = run(plain, folder);
  expect(args.slice(0, 2)).toEqual(["-N", `${ORIGIN}/api/chat`]);
  expect(args).toContain("x-box: atlas");
  expect(args.join()).not.toContain("authorization");
  expect(body).toEqual({
    model: "llama3.2",
    messages: [...messages, { role: "user", content: HARD }],
    temperature: 0,
  });

  const call = [userMessage("First", [PHOTO, PHOTO]), userMessage(HARD)];
  const seen = chatCurl(call, answer, { origin: ORIGIN, isOpen: false });
  expect(seen).toContain('authorization: Bearer $API_KEY"');
  expect(run(seen, folder).body).toMatchObject({
    messages: [
      ...messages,
      { role: "user", content: "First", images: ["YWJjZA==", "YWJjZA=="] },
      { role: "user", content: HARD },
    ],
  });

  const blind = { ...answer, asked: { ...asked, hasImages: false } };
  expect(chatCurl(call, blind, { origin: ORIGIN, isOpen: true })).not.toContain("photo");
});

import { beforeEach, expect, test } from "vitest";
import { PromptFit, sentPromptOf } from "../../../../agent/infer/prompt-fit.ts";
import { readBodyOf } from "../../../../protocol/body-reader.ts";

const CONTEXT = 4_096;
let fit: PromptFit;

beforeEach(() => {
  fit = new PromptFit();
  fit.listed([{ name: "llama3.2:latest", context_length: CONTEXT }]);
});

const sent = (chars: number | null, requestedContext: number | null = null) => ({
  model: "llama3.2:latest",
  chars,
  requestedContext,
});

/** Five prompts of English that fit. */
function learnEnglish(): void {
  for (let each = 0; each < 5; each++) fit.finished(sent(4_000 + each), 1_000);
}

/** A text of `chars`, of which Ollama read `read` tokens. */
const TRUNCATED: [name: string, chars: number | null, read: number | null, is: boolean | null][] = [
  ["fits", 4_000, 1_000, false],
  ["almost fills the context", 16_000, 4_095, false],
  ["fills the context exactly, as a text that was cut does", 17_000, 4_096, true],
  ["lost its oldest messages", 40_000, 3_000, true],
  ["lost half, as older versions cut", 40_000, 2_050, true],
  ["may have long words", 22_000, 3_900, false],
  ["has only images", null, 700, false],
  ["was not counted by Ollama", 40_000, null, null],
  ["was answered by a model that only loads", 40_000, 0, null],
];

test.each(TRUNCATED)("a prompt that %s", (_name, chars, read, is) => {
  expect(fit.finished(sent(chars), read)).toEqual({
    prompt_chars: chars,
    context_length: CONTEXT,
    prompt_truncated: is,
  });
});

test("the context of the request counts before that of the model in memory", () => {
  expect(fit.finished(sent(4_000, 512), 512)).toMatchObject({
    context_length: 512,
    prompt_truncated: true,
  });
  expect(fit.finished(sent(4_000, 8_192), 4_096)).toMatchObject({ prompt_truncated: false });
});

test("nothing is concluded about a model whose context is not known", () => {
  const unknown = { ...sent(400_000), model: "new:latest" };
  expect(fit.isTooLong(unknown)).toBe(false);
  expect(fit.finished(unknown, 4_096)).toMatchObject({
    context_length: null,
    prompt_truncated: null,
  });
});

test("before it is sent, a prompt is too long only if any text of that length would be", () => {
  expect(fit.isTooLong(sent(6 * CONTEXT))).toBe(false);
  expect(fit.isTooLong(sent(6 * CONTEXT + 6))).toBe(true);
  expect(fit.isTooLong(sent(null))).toBe(false);
  expect(fit.isTooLong(sent(6 * CONTEXT + 6, 16_384))).toBe(false);
});

test("the texts that a model has read make the estimate closer", () => {
  learnEnglish();
  expect(fit.isTooLong(sent(4 * 1.25 * CONTEXT))).toBe(false);
  expect(fit.isTooLong(sent(4 * 1.25 * CONTEXT + 60))).toBe(true);
});

/** From Ollama 0.24 on a GPU: chats of 8 % more tokens than the context, without their first message. */
const BARELY: [chars: number, read: number, context: number][] = [
  [24_005, 3_336, 4_096],
  [23_848, 3_331, 4_096],
  [5_875, 852, 1_024],
];

test.each(BARELY)(
  "a chat of %d characters that lost its first message, of which %d tokens were read",
  (chars, read, context) => {
    for (const [ofChars, tokens] of [
      [16_342, 3_007],
      [6_486, 1_204],
      [1_610, 300],
      [16_315, 3_042],
      [6_456, 1_240],
    ] as const)
      fit.finished(sent(ofChars), tokens);
    expect(fit.finished(sent(chars, context), read)).toMatchObject({ prompt_truncated: true });
    // Prose after code fits with as many characters.
    expect(fit.finished(sent(chars, context), Math.ceil(chars / 6))).toMatchObject({
      prompt_truncated: false,
    });
  },
);

test("truncated prompts teach nothing", () => {
  for (let each = 0; each < 5; each++) fit.finished(sent(40_000), CONTEXT);
  expect(fit.isTooLong(sent(6 * CONTEXT))).toBe(false);
});

const bodyOf = (endpoint: string, value: object) => {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return sentPromptOf("llama3.2", bytes, readBodyOf(endpoint, bytes));
};

const tools = [{ type: "function", function: { name: "now" } }];
const toolsChars = JSON.stringify(tools).length;

const BODIES: [endpoint: string, body: object, chars: number | null, context: number | null][] = [
  ["/api/generate", { prompt: "12345", system: "123" }, 8, null],
  ["/api/generate", { prompt: "", options: { NUM_CTX: 256 } }, null, 256],
  ["/api/generate", { prompt: "1", options: { num_ctx: "many" } }, 1, null],
  [
    "/api/chat",
    {
      messages: [
        { role: "system", content: "12" },
        { role: "user", content: "3\n5", images: ["aaaaaaaa"] },
        { role: "tool", content: "6" },
      ],
      tools,
    },
    6 + toolsChars,
    null,
  ],
  [
    "/v1/chat/completions",
    {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "1234" },
            { type: "image_url", image_url: { url: "data:" } },
          ],
        },
      ],
      tools,
    },
    4 + toolsChars,
    null,
  ],
  ["/v1/messages", { system: "12", messages: [{ role: "user", content: "345" }] }, 5, null],
  ["/v1/responses", { instructions: "12", input: "345" }, 5, null],
];

test.each(BODIES)("measures the whole prompt of %s %j", (endpoint, body, chars, context) => {
  expect(bodyOf(endpoint, body)).toEqual({
    ...{ model: "llama3.2:latest", chars },
    requestedContext: context,
  });
});

/**
 * Takes from a body, in the one scan that checks it, what an agent needs of it. Pure.
 *
 * - The prompt that a record keeps: the user's last message, or the texts to complete or embed. Never
 *   an image, a system prompt or a tool's result.
 * - The first tool that Ollama itself would run for a caller of `/v1/messages` and `/v1/responses`.
 *   Ollama recognises them by their type, such as `web_search_20250305`, and calls ollama.com with the
 *   owner's key, also for a local model. Other tools are run by the caller. Each `type` of a tool counts.
 * - Whether the caller requests the usage of an OpenAI stream.
 * - The length of everything that Ollama puts into the prompt, and the context that the caller requests.
 */
import { bodyPlace } from "./body-policy.ts";
import { fieldsOf, type JsonPlace } from "./json-places.ts";
import { type JsonScan, type JsonSlice, scanJson } from "./json-scan.ts";
import { isText, kindOf, textOf } from "./json-text.ts";
import { PROMPT_CHARS_MAX } from "./limits.ts";

/** Texts that a prompt joins with line feeds, as places in the body. */
export type PromptTexts = {
  texts: readonly JsonSlice[];
  /** Length of those that follow, each with 1 for its line feed. */
  restChars: number;
};

export type ReadBody = {
  scan: JsonScan;
  prompt: PromptTexts;
  /** The beginning of its type. */
  serverTool: string | null;
  includeUsage: { from: number; to: number } | null;
  /**
   * UTF-16 code units of the texts of the whole prompt: messages of all roles, the system prompt and the
   * tools. Images and tokens are left out, so it is a lower bound.
   */
  promptChars: number;
};

const NO_PROMPT: PromptTexts = { texts: [], restChars: 0 };

const SERVER_TOOL = "web_";
const TOOL_CHARS_MAX = 200;

class Reader implements Omit<ReadBody, "scan"> {
  readonly bytes: Uint8Array;
  prompt = NO_PROMPT;
  serverTool: string | null = null;
  includeUsage: ReadBody["includeUsage"] = null;
  promptChars = 0;
  /** Texts of the list that is being read, or of the parts of the message. */
  texts: JsonSlice[] = [];
  textChars = 0;
  restChars = 0;
  /** The user's last message with text so far. */
  lastMessage = NO_PROMPT;
  /** The message that is being read, and the part of it. */
  isUser = false;
  messageTexts: readonly JsonSlice[] = [];
  isTextPart = false;
  partText: JsonSlice | null = null;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Ends the list, and returns its texts. All of them are parts of the prompt. */
  taken(): PromptTexts {
    const prompt = { texts: this.texts, restChars: this.restChars };
    for (const { chars } of this.texts) this.promptChars += chars;
    this.promptChars += this.restChars;
    this.texts = [];
    this.textChars = 0;
    this.restChars = 0;
    return prompt;
  }
}

type Place = JsonPlace<Reader>;

const isString = ({ bytes }: Reader, from: number): boolean => kindOf(bytes, { from }) === "string";

/** A text, or a list of texts. Other items, such as tokens, are left out. */
const TEXTS: Place = {
  texts: {
    take: (into, from, to, chars) => {
      into.texts.push({ from, to, chars });
      into.textChars += chars + 1;
      return into.textChars <= PROMPT_CHARS_MAX;
    },
    skip: (into, chars) => {
      into.restChars += chars;
    },
  },
  found: (into, from, to, chars) => {
    if (isString(into, from)) into.texts = [{ from, to, chars }];
    into.prompt = into.taken();
  },
};

/** A part with text of the user: `text` (OpenAI chat, Anthropic), `input_text` (responses). */
const PART: Place = {
  fields: fieldsOf<Reader>({
    type: {
      found: (into, from, to) => {
        const slice = { from, to };
        into.isTextPart =
          isText(into.bytes, slice, "text") || isText(into.bytes, slice, "input_text");
      },
    },
    text: {
      found: (into, from, to, chars) => {
        into.partText = isString(into, from) ? { from, to, chars } : null;
      },
    },
  }),
  found: (into) => {
    if (into.isTextPart && into.partText !== null) into.texts.push(into.partText);
    into.isTextPart = false;
    into.partText = null;
  },
};

/**
 * Skips a message without text: Anthropic's tool results and single images also have the user's
 * role.
 */
const MESSAGE: Place = {
  fields: fieldsOf<Reader>({
    role: {
      found: (into, from, to) => {
        into.isUser = isText(into.bytes, { from, to }, "user");
      },
    },
    content: {
      items: PART,
      found: (into, from, to, chars) => {
        if (isString(into, from)) into.texts = [{ from, to, chars }];
        into.messageTexts = into.taken().texts;
      },
    },
  }),
  found: (into) => {
    if (into.isUser && into.messageTexts.some(({ chars }) => chars > 0))
      into.lastMessage = { texts: into.messageTexts, restChars: 0 };
    into.isUser = false;
    into.messageTexts = [];
  },
};

const MESSAGES: Place = {
  items: MESSAGE,
  found: (into) => {
    into.prompt = into.lastMessage;
    into.lastMessage = NO_PROMPT;
  },
};

const TEXT_OR_MESSAGES: Place = {
  items: MESSAGE,
  found: (into, from, to, chars) => {
    if (isString(into, from)) into.promptChars += chars;
    into.prompt = isString(into, from)
      ? { texts: [{ from, to, chars }], restChars: 0 }
      : into.lastMessage;
    into.lastMessage = NO_PROMPT;
  },
};

/** Tools that are a part of the prompt, whatever they are. */
const LENGTH: Place = {
  found: (into, from, to) => {
    into.promptChars += to - from;
  },
};

const TOOLS: Place = {
  items: {
    fields: fieldsOf<Reader>({
      type: {
        found: (into, from, to) => {
          const slice = { from, to };
          if (into.serverTool === null && isText(into.bytes, slice, SERVER_TOOL, false))
            into.serverTool = textOf(into.bytes, slice, TOOL_CHARS_MAX);
        },
      },
    }),
  },
  ...LENGTH,
};

/** The system prompt as a text. */
const SYSTEM: Place = {
  found: (into, from, _to, chars) => {
    if (isString(into, from)) into.promptChars += chars;
  },
};

const OPTIONS: Place = {
  fields: fieldsOf<Reader>({
    include_usage: {
      found: (into, from, to) => {
        into.includeUsage = { from, to };
      },
    },
  }),
};

const OPENAI = { stream_options: OPTIONS };
const PLACES: ReadonlyMap<string, Place> = new Map([
  ["/api/generate", bodyPlace({ prompt: TEXTS, system: SYSTEM })],
  ["/api/chat", bodyPlace({ messages: MESSAGES, tools: LENGTH })],
  ["/api/embed", bodyPlace({ input: TEXTS })],
  ["/api/embeddings", bodyPlace({ prompt: TEXTS })],
  ["/v1/chat/completions", bodyPlace({ ...OPENAI, messages: MESSAGES, tools: LENGTH })],
  ["/v1/completions", bodyPlace({ ...OPENAI, prompt: TEXTS })],
  ["/v1/embeddings", bodyPlace({ input: TEXTS })],
  ["/v1/responses", bodyPlace({ input: TEXT_OR_MESSAGES, tools: TOOLS, instructions: SYSTEM })],
  ["/v1/messages", bodyPlace({ messages: MESSAGES, tools: TOOLS, system: SYSTEM })],
  ["/v1/images/generations", bodyPlace({ prompt: TEXTS })],
  ["/v1/images/edits", bodyPlace({ prompt: TEXTS })],
]);
const OTHERS = bodyPlace({});

export function readBodyOf(endpoint: string, bytes: Uint8Array): ReadBody {
  const reader = new Reader(bytes);
  const scan = scanJson(bytes, PLACES.get(endpoint) ?? OTHERS, reader);
  const { prompt, serverTool, includeUsage, promptChars } = reader;
  return { scan, prompt: scan.ok ? prompt : NO_PROMPT, serverTool, includeUsage, promptChars };
}

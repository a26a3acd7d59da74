/** Error answers, and answers without figures. */
import { chat, JSON_TYPE, messages, NDJSON, type Sample, v1Chat } from "./sample.ts";

const openai = { api: "openai", stream: false } as const;
const transcriptions = { endpoint: "/v1/audio/transcriptions", ...openai };
const images = { endpoint: "/v1/images/generations", ...openai };

export const OTHER: Sample[] = [
  {
    name: "a native error",
    options: chat,
    status: 404,
    contentType: JSON_TYPE,
    chunks: [`{"error":"model 'nope' not found"}`],
    measured: { error: "model 'nope' not found" },
  },
  {
    name: "an OpenAI error",
    options: v1Chat,
    status: 400,
    contentType: "application/json",
    chunks: [
      `{"error":{"message":"[] is too short - 'messages'","type":"invalid_request_error","param":null,"code":null}}\n`,
    ],
    measured: { error: "[] is too short - 'messages'" },
  },
  {
    name: "an Anthropic error",
    options: messages,
    status: 503,
    contentType: "application/json",
    chunks: [
      `{"type":"error","error":{"type":"overloaded_error","message":"server busy, please try again."},"request_id":"req_1"}\n`,
    ],
    measured: { error: "server busy, please try again." },
  },
  {
    name: "a sign-in error, without the link that names the host",
    options: chat,
    status: 401,
    contentType: JSON_TYPE,
    chunks: [
      `{"error":"unauthorized","signin_url":"https://ollama.com/connect?name=HOST&key=KEY"}`,
    ],
    measured: { error: "unauthorized" },
  },
  {
    name: "a plain text error of an endpoint that is not measured",
    options: { endpoint: "/api/tags", api: "ollama", stream: false },
    status: 404,
    contentType: "text/plain",
    chunks: ["404 page not found"],
    measured: { error: "404 page not found" },
  },
  {
    name: "a rejected Host header without a text",
    options: chat,
    status: 403,
    contentType: "",
    chunks: [],
    measured: { error: "Ollama rejected the Host or Origin header (HTTP 403 without a text)" },
  },
  {
    name: "a list of models, which has no figures",
    options: { endpoint: "/api/tags", api: "ollama", stream: false },
    contentType: JSON_TYPE,
    chunks: [`{"models":[]}`],
    measured: {},
  },
  {
    name: "a transcription, with the type of a stream as Ollama sends it",
    options: transcriptions,
    contentType: NDJSON,
    chunks: ['{"text":"Hello', ' there."}\n'],
    measured: { response: "Hello there." },
  },
  {
    name: "a transcription as text alone",
    options: transcriptions,
    contentType: NDJSON,
    chunks: ["Hello ", "there."],
    measured: { response: "Hello there." },
  },
  {
    name: "a transcription that Ollama gave up",
    options: transcriptions,
    contentType: NDJSON,
    chunks: [],
    measured: { error: "the answer is empty, or ended in the middle" },
  },
  {
    name: "an image, which is not kept",
    options: images,
    contentType: "application/json",
    chunks: ['{"created":1,"data":[{"b64_json":"iVBORw0KGgo="}]}\n'],
    measured: {},
  },
  {
    name: "the empty answer of a model that makes no images",
    options: images,
    contentType: NDJSON,
    chunks: [],
    measured: { error: "the answer is empty, or ended in the middle" },
  },
  {
    name: "the root page",
    options: { endpoint: "/", api: "ollama", stream: false },
    contentType: "text/plain; charset=utf-8",
    chunks: ["Ollama is running"],
    measured: {},
  },
];

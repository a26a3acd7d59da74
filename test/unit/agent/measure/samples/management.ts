/** Answers of pulls and creates, and of embeddings. */
import { JSON_TYPE, NDJSON, type Sample } from "./sample.ts";

export const MANAGEMENT: Sample[] = [
  {
    name: "a pull that succeeds",
    options: { endpoint: "/api/pull", api: "ollama", stream: true },
    contentType: NDJSON,
    chunks: [
      `{"status":"pulling manifest"}\n`,
      `{"status":"pulling 0123","digest":"sha256:0123","total":9}\n`,
      `{"status":"success"}\n`,
    ],
    measured: {},
  },
  {
    name: "a pull that ends before its success",
    options: { endpoint: "/api/pull", api: "ollama", stream: true },
    contentType: NDJSON,
    chunks: [`{"status":"pulling manifest"}\n`, `{"status":"writing manifest"}\n`],
    measured: { error: "the answer ended without its last line (status success)" },
  },
  {
    name: "a pull that fails",
    options: { endpoint: "/api/pull", api: "ollama", stream: true },
    contentType: NDJSON,
    chunks: [
      `{"status":"pulling manifest"}\n`,
      `{"error":"pull model manifest: file does not exist"}\n`,
    ],
    measured: { error: "pull model manifest: file does not exist" },
  },
  {
    name: "a create that is not streamed",
    options: { endpoint: "/api/create", api: "ollama", stream: false },
    contentType: "application/json",
    chunks: [`{"status":"success"}`],
    measured: {},
  },
  {
    name: "an answer of /api/embed",
    options: { endpoint: "/api/embed", api: "ollama", stream: false },
    contentType: JSON_TYPE,
    chunks: [
      `{"model":"e","embeddings":[[0.1,-0.2],[3e-7,4]],"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":8}`,
    ],
    measured: { prompt_tokens: 8, load_ms: 1.02 },
  },
  {
    name: "an answer of /api/embeddings, which has no counts",
    options: { endpoint: "/api/embeddings", api: "ollama", stream: false },
    contentType: JSON_TYPE,
    chunks: [`{"embedding":[0.1,-0.2]}`],
    measured: {},
  },
  {
    name: "an answer of /v1/embeddings",
    options: { endpoint: "/v1/embeddings", api: "openai", stream: false },
    contentType: "application/json",
    chunks: [
      `{"object":"list","data":[{"object":"embedding","embedding":"zczMPQ==","index":0}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}\n`,
    ],
    measured: { prompt_tokens: 8 },
  },
];

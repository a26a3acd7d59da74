/**
 * The lines that set up each client of the edge. The Connect page and docs/clients.md show the same ones.
 * Pure.
 */

/** `key` is null if the edge is open. */
export type Access = { edge: string; key: string | null; model: string };

export type ClientSetup = {
  id: string;
  name: string;
  /** Where the lines go, as a sentence. */
  where: string;
  lines: (access: Access) => string;
};

/** Libraries insist on a key, also where the edge needs none. */
const keyOrAny = ({ key }: Access): string => key ?? "none";

const ollamaHeaders = ({ key }: Access, quoted: (header: string, value: string) => string) =>
  key === null ? "" : quoted("Authorization", `Bearer ${key}`);

/**
 * Returns why a key gets no lines: each would fail.
 * @param allowed  the models that it may use, as its policy names them; null: all
 */
export function noModelText(allowed: readonly string[] | null, isOwner: boolean): string {
  if (allowed === null)
    return `None of the boxes that are up has a model now, so a client has nothing to call.${isOwner ? " Pull one on the Models page." : ""}`;
  const next = isOwner
    ? "Change the models of the key with Edit, or pull one that matches."
    : "Ask an owner of this edge for other models.";
  return `This key may use ${allowed.join(", ")}, and none of the boxes that are up has such a model now. ${next}`;
}

export const CLIENT_SETUPS: readonly ClientSetup[] = [
  {
    id: "ollama",
    name: "ollama",
    where:
      "Run it in a terminal. The command sends no header, so the key is a part of the address.",
    lines: ({ edge, key, model }) =>
      `OLLAMA_HOST=${edge}/ollama${key === null ? "" : `/k/${key}`} ollama run ${model}`,
  },
  {
    id: "curl",
    name: "curl",
    where: "Run it in a terminal.",
    lines: ({ edge, key, model }) =>
      [
        `curl ${edge}/v1/chat/completions \\`,
        ...(key === null ? [] : [`  -H "Authorization: Bearer ${key}" \\`]),
        `  -d '{"model": "${model}", "messages": [{"role": "user", "content": "Hello"}]}'`,
      ].join("\n"),
  },
  {
    id: "openai-python",
    name: "OpenAI (Python)",
    where: "Install it with `pip install openai`.",
    lines: (access) => `from openai import OpenAI

client = OpenAI(base_url="${access.edge}/v1", api_key="${keyOrAny(access)}")
answer = client.chat.completions.create(
    model="${access.model}",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`,
  },
  {
    id: "openai-js",
    name: "OpenAI (JavaScript)",
    where: "Install it with `npm install openai`.",
    lines: (access) => `import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${access.edge}/v1", apiKey: "${keyOrAny(access)}" });
const answer = await client.chat.completions.create({
  model: "${access.model}",
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.choices[0].message.content);`,
  },
  {
    id: "ollama-python",
    name: "Ollama (Python)",
    where: "Install it with `pip install ollama`.",
    lines: (access) => `from ollama import Client

client = Client(host="${access.edge}/ollama"${ollamaHeaders(access, (name, value) => `, headers={"${name}": "${value}"}`)})
answer = client.chat(model="${access.model}", messages=[{"role": "user", "content": "Hello"}])
print(answer.message.content)`,
  },
  {
    id: "ollama-js",
    name: "Ollama (JavaScript)",
    where: "Install it with `npm install ollama`.",
    lines: (access) => `import { Ollama } from "ollama";

const client = new Ollama({ host: "${access.edge}/ollama"${ollamaHeaders(access, (name, value) => `, headers: { ${name}: "${value}" }`)} });
const answer = await client.chat({
  model: "${access.model}",
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.message.content);`,
  },
  {
    id: "anthropic",
    name: "Anthropic (JavaScript)",
    where: "Install it with `npm install @anthropic-ai/sdk`.",
    lines: (access) => `import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: "${access.edge}/ollama", authToken: "${keyOrAny(access)}" });
const answer = await client.messages.create({
  model: "${access.model}",
  max_tokens: 1024,
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.content);`,
  },
  {
    id: "claude-code",
    name: "Claude Code",
    where:
      "Run it in a terminal. Choose a model that can use tools and has a context of 64k or more.",
    lines: (access) => `export ANTHROPIC_BASE_URL=${access.edge}/ollama
export ANTHROPIC_AUTH_TOKEN=${keyOrAny(access)}
export ANTHROPIC_API_KEY=
claude --model ${access.model}`,
  },
  {
    id: "cline",
    name: "Cline",
    where: "Enter these values in the settings of Cline, under API Configuration.",
    lines: (access) => `API Provider: OpenAI Compatible
Base URL: ${access.edge}/v1
API Key: ${keyOrAny(access)}
Model ID: ${access.model}`,
  },
  {
    id: "open-webui",
    name: "Open WebUI",
    where:
      "Run it in a terminal. In one that is installed, add the URL and the key under Connections.",
    lines: (access) => `docker run -d -p 3000:8080 -v open-webui:/app/backend/data \\
  -e ENABLE_OLLAMA_API=false \\
  -e OPENAI_API_BASE_URL=${access.edge}/v1 \\
  -e OPENAI_API_KEY=${keyOrAny(access)} \\
  --name open-webui ghcr.io/open-webui/open-webui:main`,
  },
  {
    id: "continue",
    name: "Continue",
    where: "Add it to `~/.continue/config.yaml`.",
    lines: (access) => `models:
  - name: ${access.model}
    provider: openai
    model: ${access.model}
    apiBase: ${access.edge}/v1
    apiKey: ${keyOrAny(access)}
    roles: [chat, edit]`,
  },
];

/**
 * The catalogue: models that can be pulled, picked by hand from Ollama's public library.
 *
 * It ships with the Worker as a dated list, since the library has no API. Names, sizes and parameter
 * counts are those its pages showed on the date below; a size is the download of the bare name. The
 * descriptions are ours. Models that run only in Ollama's cloud are left out.
 *
 * @see https://ollama.com/library
 */

export const ABOUT_CATALOGUE = {
  date: "2026-07-15",
  source: "https://ollama.com/library",
  about:
    "A hand-picked selection from Ollama's public library, with the sizes its pages showed on that date.",
};

const CATEGORIES = [
  "general",
  "reasoning",
  "code",
  "vision",
  "embedding",
  "small",
  "safety",
] as const;
type Category = (typeof CATEGORIES)[number];

export type CatalogueModel = {
  /** Without a tag: pulling it takes the library's default. */
  name: string;
  category: Category;
  /** As in its tags; empty if it comes in one size that the library does not state. */
  parameterSizes: string[];
  /** For people; null if the library names no default. */
  size: string | null;
  description: string;
};

/** One model per line: name, parameter sizes, size of the default (may be empty), description. */
const LINES: Record<Category, string> = {
  general: `
    llama3.3 | 70b | 43 GB | Meta's 70B chat model, near the quality of the much larger Llama 3.1 405B
    llama3.1 | 8b 70b 405b | 4.9 GB | Meta's chat models with a context of 128K tokens and tool calls
    gemma4 | e2b e4b 12b 26b 31b | 9.6 GB | Google's models for text, images and audio, with thinking and tool calls
    gemma3 | 270m 1b 4b 12b 27b | 3.3 GB | Google's models for a single GPU; 4B and larger also read images
    gemma2 | 2b 9b 27b | 5.4 GB | Google's earlier text models, with a short context of 8K tokens
    qwen3 | 0.6b 1.7b 4b 8b 14b 30b 32b 235b | 5.2 GB | Alibaba's dense and sparse models with optional thinking
    qwen2.5 | 0.5b 1.5b 3b 7b 14b 32b 72b | 4.7 GB | Alibaba's earlier models in many sizes, strong in many languages
    mistral | 7b | 4.4 GB | Mistral's 7B model with tool calls, version 0.3
    mistral-nemo | 12b | 7.1 GB | 12B model by Mistral and NVIDIA with a long context
    mixtral | 8x7b 8x22b | 26 GB | Mistral's mixture-of-experts models with eight experts
    phi4 | 14b | 9.1 GB | Microsoft's 14B model, trained for reasoning and mathematics
    granite4 | 350m 1b 3b | 2.1 GB | IBM's instruction and tool-calling models for business use
    granite3.3 | 2b 8b | 4.9 GB | IBM's models with a context of 128K tokens
    command-r | 35b | 19 GB | Cohere's model for long conversations and retrieval from documents
    command-r7b | 7b | 5.1 GB | Cohere's small model of the R series, for common GPUs
    aya-expanse | 8b 32b | 5.1 GB | Cohere's models for 23 languages
    olmo-3 | 7b 32b | 4.5 GB | Ai2's models, open to the training data
    falcon3 | 1b 3b 7b 10b | 4.6 GB | TII's models of up to 10B for science, mathematics and code
    hermes3 | 3b 8b 70b 405b | 4.7 GB | Nous Research's fine-tune of Llama 3 for role play and tool calls
    dolphin3 | 8b | 4.9 GB | General-purpose fine-tune of Llama 3.1 8B whose operator sets the rules
    llama4 | 16x17b 128x17b | 67 GB | Meta's mixture-of-experts models for text and images
    qwen3-next | 80b | 50 GB | Alibaba's sparse 80B model, built for speed with long contexts
    translategemma | 4b 12b 27b | 3.3 GB | Google's translation models for 55 languages, based on Gemma 3
    medgemma | 4b 27b | 3.3 GB | Google's Gemma 3 for medical text and images; not a medical device
  `,
  reasoning: `
    gpt-oss | 20b 120b | 14 GB | OpenAI's open-weight models with adjustable thinking and tool calls
    deepseek-r1 | 1.5b 7b 8b 14b 32b 70b 671b | 5.2 GB | DeepSeek's reasoning model, and smaller ones distilled from it
    qwq | 32b | 20 GB | Alibaba's reasoning model of the Qwen 2.5 generation
    magistral | 24b | 14 GB | Mistral's reasoning model
    phi4-reasoning | 14b | 11 GB | Microsoft's Phi-4, trained to reason in steps
    cogito | 3b 8b 14b 32b 70b | 4.9 GB | Deep Cogito's hybrid models with optional thinking
    openthinker | 7b 32b | 4.7 GB | Open reasoning models trained on data distilled from DeepSeek-R1
    nemotron-3-nano | 4b 30b | 24 GB | NVIDIA's efficient hybrid models for agents, with very long contexts
    glm-4.7-flash | | 19 GB | Z.ai's 30B-class model for agents and code
    deepseek-v3.1 | 671b | 404 GB | DeepSeek's 671B model with optional thinking; needs several large GPUs
  `,
  code: `
    qwen3-coder | 30b 480b | 19 GB | Alibaba's models for agents that write code, with long contexts
    qwen3-coder-next | | 52 GB | Alibaba's sparse coding model for local agents
    qwen2.5-coder | 0.5b 1.5b 3b 7b 14b 32b | 4.7 GB | Alibaba's models for writing, completing and fixing code
    devstral-small-2 | 24b | 15 GB | Mistral's 24B model for agents that explore and edit code bases
    codestral | 22b | 13 GB | Mistral's first model for code, with fill-in-the-middle
    deepseek-coder-v2 | 16b 236b | 8.9 GB | DeepSeek's mixture of experts for code
    codellama | 7b 13b 34b 70b | 3.8 GB | Meta's older code models, based on Llama 2
    codegemma | 2b 7b | 5.0 GB | Google's models for code completion and chat
    granite-code | 3b 8b 20b 34b | 2.0 GB | IBM's models for code
    starcoder2 | 3b 7b 15b | 1.7 GB | BigCode's models for completion, with open training data
    deepcoder | 1.5b 14b | 9.0 GB | Open code model trained to reason
  `,
  vision: `
    qwen3.5 | 0.8b 2b 4b 9b 27b 35b 122b | 6.6 GB | Alibaba's models for text and images, with thinking and tool calls
    qwen3.6 | 27b 35b | 24 GB | Alibaba's newer models for text and images, built for coding agents
    qwen3-vl | 2b 4b 8b 30b 32b 235b | 6.1 GB | Alibaba's vision models of the Qwen 3 family
    qwen2.5vl | 3b 7b 32b 72b | 6.0 GB | Alibaba's earlier vision models, good with documents
    llama3.2-vision | 11b 90b | 7.8 GB | Meta's Llama 3.2 with image input
    mistral-small3.2 | 24b | 15 GB | Mistral's 24B model for text and images, with tool calls
    ministral-3 | 3b 8b 14b | 6.0 GB | Mistral's small models for text and images, for many kinds of hardware
    minicpm-v | 8b | 5.5 GB | OpenBMB's compact vision model
    granite3.2-vision | 2b | 2.4 GB | IBM's small model for tables, charts and documents
    llava | 7b 13b 34b | 4.7 GB | One of the first open vision models, based on Vicuna and Mistral
    moondream | 1.8b | 1.7 GB | A vision model small enough for edge devices
    deepseek-ocr | 3b | 6.7 GB | DeepSeek's model for reading text in images
    glm-ocr | | 2.2 GB | Z.ai's model for reading complex documents
  `,
  embedding: `
    nomic-embed-text | | 274 MB | Nomic's English text embeddings, with a context of 2K tokens
    nomic-embed-text-v2-moe | | 958 MB | Nomic's text embeddings for many languages
    embeddinggemma | 300m | 622 MB | Google's small text embeddings for many languages
    qwen3-embedding | 0.6b 4b 8b | 4.7 GB | Alibaba's text embeddings based on Qwen 3
    mxbai-embed-large | 335m | 670 MB | Mixedbread's large English text embeddings
    bge-m3 | 567m | 1.2 GB | BAAI's text embeddings for many languages and long texts
    snowflake-arctic-embed2 | 568m | 1.2 GB | Snowflake's text embeddings for search in many languages
    granite-embedding | 30m 278m | 63 MB | IBM's text embeddings: 30M for English, 278M for many languages
    all-minilm | 22m 33m | 46 MB | Tiny sentence embeddings
  `,
  small: `
    llama3.2 | 1b 3b | 2.0 GB | Meta's small chat models, for modest GPUs and for CPUs
    gemma3n | e2b e4b | 7.5 GB | Google's models for laptops and phones
    phi4-mini | 3.8b | 2.5 GB | Microsoft's small Phi-4, with tool calls
    phi3 | 3.8b 14b | 2.2 GB | Microsoft's earlier small models
    smollm2 | 135m 360m 1.7b | 1.8 GB | Hugging Face's very small models
    lfm2.5 | 8b | 5.2 GB | Liquid AI's sparse 8B model for tool calls on consumer hardware
    functiongemma | 270m | 301 MB | Google's Gemma 3 270M, tuned to call functions
    tinyllama | 1.1b | 638 MB | A 1.1B Llama, good for trying things out
  `,
  safety: `
    llama-guard3 | 1b 8b | 4.9 GB | Meta's classifier of unsafe prompts and answers
    shieldgemma | 2b 9b 27b | 5.8 GB | Google's judge of text against a safety policy
    gpt-oss-safeguard | 20b 120b | 14 GB | OpenAI's gpt-oss, tuned to judge text against a policy you write
  `,
};

export const CATALOGUE: readonly CatalogueModel[] = CATEGORIES.flatMap((category) =>
  LINES[category]
    .trim()
    .split("\n")
    .map((line) => modelOf(category, line)),
);

function modelOf(category: Category, line: string): CatalogueModel {
  const [name = "", parameterSizes = "", size = "", description = ""] = line
    .split("|")
    .map((field) => field.trim());
  return {
    name,
    category,
    parameterSizes: parameterSizes.split(" ").filter(Boolean),
    size: size === "" ? null : size,
    description,
  };
}

const BY_NAME = new Map(CATALOGUE.map((model) => [model.name, model]));

/** Returns the catalogue's entry of a model in any of its sizes; null if it is not there. */
export const familyOf = (model: string): CatalogueModel | null =>
  BY_NAME.get(model.replace(/:[^/]*$/, "")) ?? null;

/** Returns the category of a model that nobody categorised. */
export const categoryOf = (model: string): string => familyOf(model)?.category ?? "general";

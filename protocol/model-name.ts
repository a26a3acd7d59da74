/**
 * Names of models, as Ollama parses them: `[[host/]namespace/]model[:tag]`. Pure.
 * @see https://github.com/ollama/ollama/blob/main/types/model/name.go
 * @see https://github.com/ollama/ollama/blob/main/internal/modelref/modelref.go
 */

/** Every character class is ASCII. A host is accepted only in front of a namespace. */
const NAME = new RegExp(
  "^(?:(?:(?:https?://)?(\\w[\\w.:-]{0,349})/)?(\\w[\\w-]{0,79})/)?" +
    "(\\w[\\w.-]{0,79})(?::(\\w[\\w.-]{0,79}))?$",
);

/** Selects the local model explicitly, and is not part of the name. */
const LOCAL_SUFFIX = /:local$/i;

/** Go's `strings.TrimSpace`, which also removes U+0085. */
const SPACE_AROUND = /^[\s\u0085]+|[\s\u0085]+$/g;

/**
 * Returns the full name, which is equal for every spelling of one model: Ollama ignores the case of
 * names and fills in the parts that are left out. Returns null if the name is not valid.
 */
export function fullModelName(text: string): string | null {
  const parts = NAME.exec(text.replace(LOCAL_SUFFIX, ""));
  if (parts === null) return null;
  const [, host = "registry.ollama.ai", namespace = "library", model, tag = "latest"] = parts;
  return `${host}/${namespace}/${model}:${tag}`.toLowerCase();
}

/**
 * Returns whether the name itself makes Ollama forward the request to ollama.com, with the owner's
 * key and account: a tag that is `cloud` or ends in `-cloud`. Ollama does so even if a local model
 * has that name. A model without such a tag, such as `my-cloud`, is a local one.
 */
export function isCloudModel(text: string): boolean {
  const name = text.replace(SPACE_AROUND, "");
  const colon = name.lastIndexOf(":");
  if (colon < 0) return false;
  const tag = name
    .slice(colon + 1)
    .replace(SPACE_AROUND, "")
    .toLowerCase();
  return tag === "cloud" || (tag.endsWith("-cloud") && !tag.includes("/"));
}

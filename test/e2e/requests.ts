/** The models, messages and tool that the end-to-end tests of the client APIs send. */

export const MODEL = "llama3.2";
export const EMBEDDER = "nomic-embed-text";
export const messages = [{ role: "user" as const, content: "Say something" }];
export const WEATHER = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "Weather in a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string", description: "city" } },
      required: ["city"],
    },
  },
};

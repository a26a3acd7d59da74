/** Calls of `/api/ollama`, and their errors. */
import { exports } from "cloudflare:workers";
import { ApiError } from "../../protocol/api/shapes.ts";

export const callOllamaApi = (method: string, path: string, body?: unknown): Promise<Response> =>
  exports.default.fetch(`http://localhost/api/ollama/${path}`, {
    method,
    body: body === undefined ? null : JSON.stringify(body),
  });

export const errorOf = async (answer: Response) => ({
  status: answer.status,
  ...ApiError.parse(await answer.json()).error,
});

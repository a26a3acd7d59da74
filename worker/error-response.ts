/** The answer to a caller whose call the edge itself fails, in the shape of the called API. */
import { type Dialect, errorBody, errorHeaders } from "../protocol/failures.ts";
import { type FailureReason, wireErrorOf } from "./errors.ts";

export function errorResponse(
  dialect: Dialect,
  failure: FailureReason,
  requestId: string,
  userAgent: string | null = null,
): Response {
  const wire = wireErrorOf(failure);
  const error =
    dialect === "ollama" && wire.status === 401 && isOllamaCommand(userAgent)
      ? { ...wire, status: 403 }
      : wire;
  return Response.json(errorBody(dialect, error, requestId), {
    status: error.status,
    headers: errorHeaders(error, requestId),
  });
}

/**
 * The `ollama` command prints the message of a 403. It replaces that of a 401: `ollama run` prints that
 * the user must sign in to ollama.com.
 */
const isOllamaCommand = (userAgent: string | null): boolean => /^ollama\//.test(userAgent ?? "");

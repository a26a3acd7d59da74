/**
 * Errors that stop the agent, or fail a call of the library. Their messages are written for people.
 */

/** One or more settings are missing or invalid; the message has one line for each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** The edge does not let this box join or leave, or cannot be reached. */
export class JoinError extends Error {
  override readonly name = "JoinError";
  /** The edge's code for its reason; null if it gave none. */
  readonly code: string | null;

  constructor(message: string, code: string | null = null) {
    super(message);
    this.code = code;
  }
}

/** The listener cannot use its address: it is in use, not allowed, or not on this machine. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** Ollama rejected a call, failed it, or cannot be reached. */
export class OllamaError extends Error {
  override readonly name = "OllamaError";
  /**
   * HTTP status of the answer, e.g. 404 for a model that is not installed; 502 without an answer.
   */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

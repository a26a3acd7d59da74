/** What stops the agent, or a call of a program that runs it. The messages are for people. */

/** A setting that makes no sense. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Nothing can listen there. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** Ollama refused or failed a call, or was not there. */
export class OllamaError extends Error {
  override readonly name = "OllamaError";
  /** The HTTP status of the answer, e.g. 404 for a model that is not installed. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

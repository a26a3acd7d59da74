/** The facts that every stand-in for Ollama reports: one model, installed and in memory. */

/** @returns the answers by path */
export function standInFacts(model: string, version: string): Record<string, object> {
  const entry = {
    name: model,
    model,
    size: 1_000_000,
    size_vram: 1_000_000,
    digest: "0".repeat(64),
    details: {},
  };
  return {
    "/api/tags": { models: [{ ...entry, modified_at: "2026-01-01T00:00:00Z" }] },
    "/api/ps": {
      models: [{ ...entry, expires_at: "2036-01-01T00:00:00Z", context_length: 4_096 }],
    },
    "/api/version": { version },
  };
}

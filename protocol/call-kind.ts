/** The kind of a call, across the APIs: `/api/chat` and `/v1/messages` are both chats. Pure. */
import { makesVectors, OLLAMA_ROUTES, type RouteKind } from "./routes.ts";

/** `manage`: changes of models. `read`: lists and versions, which need no model. */
export const CALL_KINDS = [
  "chat",
  "generate",
  "embed",
  "images",
  "audio",
  "manage",
  "read",
] as const;
export type CallKind = (typeof CALL_KINDS)[number];

const BY_PATH: Record<string, CallKind> = {
  "/api/chat": "chat",
  "/v1/chat/completions": "chat",
  "/v1/responses": "chat",
  "/v1/messages": "chat",
  "/api/generate": "generate",
  "/v1/completions": "generate",
  "/v1/images/generations": "images",
  "/v1/images/edits": "images",
  "/v1/audio/transcriptions": "audio",
};
const BY_ROUTE: Record<RouteKind, CallKind | null> = {
  inference: null,
  management: "manage",
  information: "read",
};

const KINDS: ReadonlyMap<string, CallKind> = new Map(
  OLLAMA_ROUTES.flatMap(({ path, kind }) => {
    const found = makesVectors(path) ? "embed" : (BY_PATH[path] ?? BY_ROUTE[kind]);
    return found === null ? [] : [[path, found] as const];
  }),
);

/** Returns null for an endpoint that this version does not know. */
export const callKindOf = (endpoint: string): CallKind | null => KINDS.get(endpoint) ?? null;

/** Returns the endpoints of a kind, as records name them. */
export const endpointsOf = (wanted: CallKind): string[] =>
  [...KINDS].flatMap(([path, kind]) => (kind === wanted ? [path] : []));

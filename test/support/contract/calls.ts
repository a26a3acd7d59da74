/** A call of each route of `/api`, for the test of the contract. */
import type { API_ROUTES } from "../../../protocol/api/routes.ts";

export type RouteName = keyof typeof API_ROUTES;

/**
 * Calls of the routes whose path alone is not enough. In the order of the table; the clears come last.
 * `{made}` is the id of the key or join code that was made last.
 */
export const CALLS: Record<RouteName, { path?: string; body?: unknown }> = {
  joinCodes: {},
  makeJoinCode: { body: {} },
  cancelJoinCode: { path: "/api/boxes/join/{made}" },
  revokeBox: { path: "/api/boxes/joined/revoke" },
  health: {},
  gpu: { path: "/api/gpu?box=atlas" },
  metrics: {},
  boxes: { path: "/api/boxes?box=atlas" },
  forgetBox: { path: "/api/boxes/gone" },
  loadModel: {
    path: "/api/models/load",
    body: { model: "llama3.2", box: "atlas", keep_alive: "5m" },
  },
  unloadModel: { path: "/api/models/unload", body: { model: "llama3.2" } },
  plan: { path: "/api/plan?model=llama3.2&context=4096" },
  putPin: {
    body: {
      model: "llama3.2",
      box: "atlas",
      context: 4_096,
      hours: { from: 22, to: 6 },
      time_zone: "Europe/Berlin",
    },
  },
  pins: {},
  removePin: { path: "/api/pins?model=llama3.2&box=atlas" },
  benchBox: {
    path: "/api/boxes/atlas/bench",
    body: { model: "llama3.2", contexts: [64], repeats: 1, output_tokens: 16 },
  },
  bench: { path: "/api/bench?box=atlas&model=llama3.2&limit=1" },
  system: {},
  systemHistory: { path: "/api/system/history?time_range=15m&max_points=10" },
  gpuHistory: { path: "/api/gpu/history?time_range=15m&box=atlas" },
  currentStats: {},
  history: { path: "/api/stats/history?hours=2&model=llama3.2&box=atlas" },
  logs: { path: "/api/stats/logs?limit=2&status=success" },
  models: {},
  live: {},
  events: { path: "/api/events?kind=model_loaded,tunnel_cut&box=atlas&limit=5" },
  chat: { body: { prompt: "Hello", max_tokens: 3 } },
  installedModels: {},
  pullModel: { body: { name: "phi3" } },
  deleteModel: { path: "/api/ollama/models/phi3" },
  library: { path: "/api/ollama/library?q=llama" },
  syncRepository: {},
  addToRepository: { body: { model_name: "hf.co/user/model:Q4_K_M", display_name: "Mine" } },
  repository: {},
  repositoryModel: { path: "/api/models/repository/llama3.2" },
  changeRepositoryModel: { path: "/api/models/repository/llama3.2", body: { is_default: true } },
  toggleFavorite: { path: "/api/models/repository/hf.co/user/model:Q4_K_M/favorite" },
  removeFromRepository: { path: "/api/models/repository/hf.co%2Fuser%2Fmodel%3AQ4_K_M" },
  config: {},
  patchConfig: { body: { log_content: "on" } },
  tariff: {},
  putTariff: {
    body: {
      currency: "EUR",
      default: { prices: [{ from: 0, to: 24, price_per_kwh: 0.3 }], co2_g_per_kwh: 380 },
    },
  },
  removeTariff: {},
  costs: { path: "/api/costs?by=day&box=atlas" },
  signIn: { body: { key: "any-in-open-mode" } },
  signOut: {},
  keys: {},
  ownKey: {},
  makeKey: { body: { name: "Ada", scopes: ["infer"], models: ["llama3.2"] } },
  key: { path: "/api/keys/{made}" },
  changeKey: { path: "/api/keys/{made}", body: { boxes: ["atlas"] } },
  rotateKey: { path: "/api/keys/{made}/rotate", body: {} },
  revokeKey: { path: "/api/keys/{made}" },
  openapi: {},
  docs: {},
  dataSummary: {},
  clearMetrics: {},
  clearLogs: {},
  clearAll: {},
};

/** `ollama-edge-serve/agent`: what a program gets that installs the package. */
export { ConfigError, ListenError, OllamaError } from "./errors.ts";
export type { Log, LogLevel } from "./log.ts";
export {
  type ExporterTypeOption,
  NetworkConfig,
  type NetworkConfigOptions,
} from "./service/network-config.ts";
export {
  type Generated,
  type GenerateOptions,
  OllamaService,
  type ServedModel,
  type ServiceHealth,
  type ServiceOptions,
} from "./service/service.ts";
export { StateLockError } from "./state/lock.ts";

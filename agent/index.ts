/**
 * `ollama-edge-serve/agent`: the library. Runs an instrumented Ollama endpoint inside a program.
 *
 * @example
 *   await using service = new OllamaService(new NetworkConfig({ port: 11500 }));
 *   const { response } = await service.generate("llama3.2", "Hello, world!");
 */
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

/** The settings of an agent, with those that follow from the joining of its box. */
import { type AgentConfig, configOf } from "../config.ts";
import { ConfigError } from "../errors.ts";
import { BoxMembership } from "./membership.ts";

export type JoinedSettings = {
  config: AgentConfig;
  /** Null: the box has a secret, or needs none. */
  membership: BoxMembership | null;
};

/**
 * Returns the settings of the agent. A joined box needs neither EDGE_URL nor BOX_NAME.
 * @throws {ConfigError} if the environment contradicts the joining
 */
export function joinedSettingsOf(environment: NodeJS.ProcessEnv): JoinedSettings {
  // BOX_SECRET is explicit, so it wins.
  if (environment.BOX_SECRET) return { config: configOf(environment), membership: null };
  const { STATE_DIR } = environment;
  const { stateDir } = configOf({ EDGE_URL: "http://localhost", STATE_DIR });
  const membership = BoxMembership.read(stateDir);
  if (membership === null) return { config: configOf(environment), membership };
  const { edge, box } = membership;
  const config = configOf({
    ...environment,
    EDGE_URL: environment.EDGE_URL || edge.origin,
    BOX_NAME: environment.BOX_NAME || box,
  });
  const differs = (variable: string, set: string) =>
    new ConfigError(
      `${variable} is ${set}, but this machine joined ${edge.origin} as box ${box}. ` +
        `Remove ${variable}, or join again.`,
    );
  if (config.edgeUrl.origin !== edge.origin) throw differs("EDGE_URL", config.edgeUrl.origin);
  if (config.box !== box) throw differs("BOX_NAME", config.box);
  return { config, membership };
}

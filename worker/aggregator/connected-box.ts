/** Takes a box into service, with the settings that are in force for it. */
import type { EdgeSettings, Hello } from "../../protocol/messages.ts";
import type { KeyEnds } from "../keys/ends.ts";
import type { Settings } from "../settings.ts";
import { takeHello } from "./box-reports.ts";
import { edgeSettingsOf } from "./edge-settings.ts";
import type { AggregatorStores } from "./stores.ts";

/** The settings of an agent, and the ends of the keys, for its Box. */
export type BoxSettings = EdgeSettings & { keys: KeyEnds };

/** Marks a box as up when its agent's hello arrives. Returns the settings in force. */
export function connectedBox(
  stores: AggregatorStores,
  { hello, atMs }: { hello: Hello; atMs: number },
  inForce: Pick<Settings, "logContent">,
): BoxSettings {
  takeHello(stores, hello, atMs, Date.now());
  return { ...edgeSettingsOf(stores, hello.box, inForce), keys: stores.issuedKeys.ends };
}

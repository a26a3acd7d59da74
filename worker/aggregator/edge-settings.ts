/** The settings in force for one box, as its agent gets them. */
import type { EdgeSettings } from "../../protocol/messages.ts";
import type { Settings } from "../settings.ts";
import type { AggregatorStores } from "./stores.ts";

export const edgeSettingsOf = (
  { pins }: Pick<AggregatorStores, "pins">,
  box: string,
  { logContent }: Pick<Settings, "logContent">,
): EdgeSettings => ({
  keep_text: logContent === "on",
  pins: pins.of(box).map(({ created_at_ms: _, ...pin }) => pin),
});

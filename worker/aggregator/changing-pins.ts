/** Makes and removes pins, if the box has the model and room for it. */
import type { PinQuery, PinRequest, ShownPin } from "../../protocol/api/pins.ts";
import { withTag } from "../../protocol/inventory.ts";
import type { EdgeSettings } from "../../protocol/messages.ts";
import { rateOf } from "../../protocol/tariff.ts";
import { type KeptPin, nameOn, type PinRefusal, pinFailure, shownPins } from "../answers/pins.ts";
import type { RegisteredBox } from "../registered-box.ts";
import type { Settings } from "../settings.ts";
import { edgeSettingsOf } from "./edge-settings.ts";
import type { AggregatorStores } from "./stores.ts";

export type PinsChange =
  | ({ act: "put" } & PinRequest)
  /** A pin whose model or box is gone can be removed too. */
  | ({ act: "remove" } & PinQuery);

type Refusal =
  | PinRefusal
  | { reason: "box_unknown"; box: string }
  | { reason: "agent_too_old"; box: string; version: string; lacks: "keep models in memory" };

/** `pin`: the one that was made; null if one was removed. `settings`: for the agent of the box. */
export type PinsChanged =
  | { refusal: Refusal }
  | { refusal: null; pin: ShownPin | null; settings: EdgeSettings };

export function changePins(
  stores: AggregatorStores,
  change: PinsChange,
  inForce: Pick<Settings, "logContent">,
  nowMs: number,
): PinsChanged {
  const done = (pin: ShownPin | null): PinsChanged => ({
    refusal: null,
    pin,
    settings: edgeSettingsOf(stores, change.box, inForce),
  });
  const { pins, registry } = stores;
  const box = registry.boxes().find(({ name }) => name === change.box);
  if (change.act === "remove") {
    const model = withTag((box && nameOn(box, change.model)) ?? change.model);
    if (pins.remove(change.box, model)) return done(null);
    return {
      refusal: {
        reason: "model_unknown",
        model: change.model,
        where: `among the pins of box ${change.box}`,
      },
    };
  }
  if (box === undefined) return { refusal: { reason: "box_unknown", box: change.box } };
  const pin = newPin(stores, box, change, nowMs);
  if ("reason" in pin) return { refusal: pin };
  pins.put(change.box, pin);
  const [shown] = shownPins(box, [pin], null, (digest) => stores.memory.of(digest), nowMs);
  return done(shown === undefined ? null : { ...shown, box: change.box });
}

/** Returns a pin with the name that the box has for its model, or why it is refused. */
function newPin(
  { pins, tariffs, memory }: AggregatorStores,
  box: RegisteredBox,
  { model, context, hours, time_zone }: PinRequest,
  nowMs: number,
): KeptPin | Refusal {
  const { name, hello, state } = box;
  const { agent_version: version, keeps_pins } = hello;
  if (state !== "down" && keeps_pins !== true)
    return { reason: "agent_too_old", box: name, version, lacks: "keep models in memory" };
  const tariff = tariffs.newest()?.tariff ?? null;
  const pin: KeptPin = {
    model: nameOn(box, model) ?? withTag(model),
    context_length: context,
    hours,
    time_zone: time_zone ?? (tariff === null ? "UTC" : rateOf(tariff, name).time_zone),
    created_at_ms: nowMs,
  };
  return pinFailure(box, pin, pins.of(name), (digest) => memory.of(digest), nowMs) ?? pin;
}

/** The parts of the world that a call of a caller needs. */
import type { AttachKey } from "../../../worker/box/attach.ts";
import type { StreamRequest } from "../box.ts";
import type { Chance } from "../chance.ts";
import type { End } from "../link.ts";
import type { AttachAnswer } from "../network.ts";
import type { FleetCall } from "./call.ts";
import type { CallRecordWorld } from "./call-record.ts";

export type FleetCallWorld = CallRecordWorld & {
  chance: Chance;
  dial(box: string, request: StreamRequest, onAnswer: (answer: AttachAnswer) => void): End;
  /** The key of the caller, if it has limits. */
  key: AttachKey | null;
  /** A box took the call. @param isKnown  the isolate, or its Box, knew its load when it was chosen */
  onTaken(call: FleetCall, box: string, isKnown: boolean): void;
};

/**
 * Infers the phases of requests whose answers have no durations (`/v1`), from everything that this
 * agent sees of its Ollama: the other requests, the polls, and the answers that have durations. Pure:
 * the caller passes in monotonic time.
 */
import { type Inventory, withTag } from "../../protocol/inventory.ts";
import type { PhasesMs } from "../measure/phases.ts";
import type { Slots } from "../queue/slots.ts";
import type { Bounds } from "./bounds.ts";
import { type ArrivedAnswer, type InferredPhases, inferPhases, ownDecode } from "./infer-phases.ts";
import { LearnedPace } from "./learned.ts";
import { type LoadedUntil, loadedUntil, Residencies, type Residency } from "./residency.ts";
import { SlotTurns } from "./slot-turns.ts";

/** Models whose pace is kept. The one that was not called for longest is forgotten. */
const MODELS_MAX = 64;

type Model = {
  name: string;
  turns: SlotTurns;
  pace: LearnedPace;
  /** Open requests that have content. */
  answering: number;
  /** Open requests without content whose model may not be in memory yet. */
  unsettled: number;
};

type Sent = {
  model: Model;
  sentMs: number;
  residency: Residency;
  isAlone: boolean;
  hasContent: boolean;
  /** Ollama works on it, or it waits. */
  isOpen: boolean;
  wait: Bounds | null;
};

/** An answer as it arrived. Times are monotonic ms. */
export type FinishedAnswer = ArrivedAnswer & {
  /** Ollama's own; null for an answer without durations. */
  phases: PhasesMs | null;
};

export class PhaseInference {
  readonly #slots: Slots;
  readonly #sent = new Map<string, Sent>();
  readonly #models = new Map<string, Model>();
  readonly #residencies = new Residencies();
  #open = 0;
  /** The only open request; null if there are several or none. */
  #lone: Sent | null = null;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  /** Takes a poll of the models in memory, and both clocks at that time. */
  listed(inventory: Pick<Inventory, "loaded">, unixMs: number, nowMs: number): void {
    this.polled(loadedUntil(inventory, unixMs, nowMs), nowMs);
  }

  /** Takes a poll of the models in memory. */
  polled(loaded: readonly LoadedUntil[], nowMs: number): void {
    this.#residencies.polled(loaded, nowMs);
  }

  /** An inference request is sent to Ollama. */
  begin(id: string, modelName: string, nowMs: number): void {
    const model = this.#modelOf(withTag(modelName));
    const residency = this.#residencyOf(model, nowMs);
    if (residency === "absent") this.#residencies.loading();
    const sent: Sent = {
      model,
      sentMs: nowMs,
      residency,
      isAlone: this.#open === 0,
      hasContent: false,
      isOpen: true,
      wait: null,
    };
    if (this.#lone !== null) this.#lone.isAlone = false;
    this.#lone = sent.isAlone ? sent : null;
    this.#open++;
    if (residency !== "loaded") model.unsettled++;
    model.turns.begin(id, nowMs);
    this.#sent.set(id, sent);
  }

  /** The first content of a request arrived. */
  content(id: string, nowMs: number): void {
    const sent = this.#sent.get(id);
    if (sent === undefined || sent.hasContent || !sent.isOpen) return;
    sent.hasContent = true;
    sent.model.answering++;
    if (sent.residency !== "loaded") sent.model.unsettled--;
    sent.model.turns.content(id);
    this.#residencies.answered(sent.model.name, nowMs);
  }

  /** Ollama has answered a request to its end. */
  end(id: string, nowMs: number): void {
    this.#end(id, nowMs, false);
  }

  /** A request is over, before the end of its answer if it has not ended yet. */
  leave(id: string, nowMs: number): void {
    this.#end(id, nowMs, this.#sent.get(id)?.hasContent === false);
  }

  #end(id: string, nowMs: number, wasPrompt: boolean): void {
    const sent = this.#sent.get(id);
    if (sent === undefined || !sent.isOpen) return;
    sent.isOpen = false;
    this.#open--;
    if (this.#lone === sent) this.#lone = null;
    if (sent.hasContent) sent.model.answering--;
    else if (sent.residency !== "loaded") sent.model.unsettled--;
    sent.wait = sent.model.turns.end(id, nowMs, wasPrompt);
  }

  /** The request is over. Learns from its answer, or infers the phases that the answer lacks. */
  finish(id: string, answer: FinishedAnswer | null): InferredPhases | null {
    const sent = this.#sent.get(id);
    this.#sent.delete(id);
    if (sent === undefined || answer === null) return null;
    const sinceSent = {
      ...answer,
      firstContentMs: answer.firstContentMs === null ? null : answer.firstContentMs - sent.sentMs,
      endMs: answer.endMs - sent.sentMs,
    };
    this.#residencies.answered(sent.model.name, answer.endMs);
    if (answer.phases !== null) {
      learnFromPhases(sent, sinceSent, answer.phases);
      return null;
    }
    const { residency, wait, isAlone, model } = sent;
    const context = contextOf(answer);
    const inferred = inferPhases(sinceSent, {
      residency,
      wait,
      isAlone,
      overhead: model.pace.overhead(),
      decode: context === null ? null : model.pace.decode(context),
      coldPrefill: model.pace.coldPrefill(),
    });
    learnFromTimes(sent, sinceSent);
    return inferred;
  }

  #residencyOf(model: Model, nowMs: number): Residency {
    if (model.answering > 0) return "loaded";
    // A model that another request waits for may still be loading.
    if (model.unsettled > 0) return "unknown";
    return model.turns.size > 0 ? "loaded" : this.#residencies.of(model.name, nowMs);
  }

  #modelOf(name: string): Model {
    const model = this.#models.get(name) ?? {
      name,
      turns: new SlotTurns(name, this.#slots),
      pace: new LearnedPace(),
      answering: 0,
      unsettled: 0,
    };
    this.#models.delete(name);
    this.#models.set(name, model);
    for (const [oldest, { turns }] of this.#models)
      if (this.#models.size > MODELS_MAX && turns.size === 0) this.#models.delete(oldest);
    return model;
  }
}

const contextOf = ({ promptTokens, completionTokens }: ArrivedAnswer): number | null =>
  promptTokens === null || completionTokens === null ? null : promptTokens + completionTokens;

const foundSlot = ({ residency, wait }: Sent): boolean => residency === "loaded" && wait?.hi === 0;

function learnFromPhases(sent: Sent, answer: ArrivedAnswer, phases: PhasesMs): void {
  const { load_ms, queue_ms, prefill_ms, decode_ms } = phases;
  const { pace } = sent.model;
  if (foundSlot(sent) && load_ms !== null && queue_ms !== null) pace.addOverhead(load_ms, queue_ms);
  const { promptTokens, completionTokens } = answer;
  const context = contextOf(answer);
  if (!sent.isAlone || promptTokens === null || completionTokens === null || context === null)
    return;
  if (sent.residency === "absent" && prefill_ms !== null)
    pace.addColdPrefill(prefill_ms / promptTokens);
  if (completionTokens > 1 && decode_ms !== null)
    pace.addDecode(context, decode_ms / (completionTokens - 1));
}

function learnFromTimes(sent: Sent, answer: ArrivedAnswer): void {
  const { pace } = sent.model;
  if (foundSlot(sent) && answer.firstContentMs !== null)
    pace.addFirstContent(answer.firstContentMs);
  const context = contextOf(answer);
  const own = ownDecode(answer);
  if (sent.isAlone && own !== null && context !== null)
    pace.addDecode(context, (own.lo + own.hi) / 2);
}

/** The concerns of an edge with one healthy box, and what a test changes about it. */
import { expect } from "vitest";
import { Concern } from "../../../../protocol/concern.ts";
import { concernsOf, type Observed, sentenceOf } from "../../../../worker/answers/concerns.ts";
import { NO_DAMAGE } from "../../../../worker/answers/damage/damage.ts";
import { boxOf, liveOf } from "../../dashboard/live.ts";

export const NOW = Date.parse("2026-11-24T12:00:00Z");
export const HOUR_MS = 3_600_000;

export const concernsWith = (observed: Partial<Observed>): Concern[] =>
  concernsOf({
    boxes: [boxOf({})],
    recent: liveOf({}).recent,
    queueDepth: 0,
    isRecording: true,
    stores: [],
    repositoryError: null,
    untrusted: [],
    largest: [],
    bypassed: [],
    damage: NO_DAMAGE,
    recentByModel: [],
    thresholds: [],
    nowMs: NOW,
    ...observed,
  });

/** `critical box_down Box atlas is down`, for every concern, after a check against the schema. */
export const summariesWith = (observed: Partial<Observed>): string[] =>
  concernsWith(observed).map((concern) => {
    expect(Concern.parse(concern)).toEqual(concern);
    return `${concern.severity} ${concern.code}: ${sentenceOf(concern)}`;
  });

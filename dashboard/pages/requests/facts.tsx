/** The facts in the record of a request, as names and values. */
import type { LogEntry } from "../../../protocol/api/logs.ts";
import { movesIn } from "../../../protocol/moves.ts";
import type { RouteReason } from "../../../protocol/route.ts";
import { type Fact, FactList } from "../../parts/fact-list.tsx";
import {
  co2,
  count,
  duration,
  energy,
  momentInFull,
  money,
  tokenRate,
  UNKNOWN,
} from "../../shape/format.ts";
import { decodeRate } from "../../shape/request-figures.ts";

export const RequestFacts = ({ entry }: { entry: LogEntry }) => <FactList facts={factsOf(entry)} />;

/** The request's share of the GPUs' energy, with its cost if a tariff was in force. */
function energyOf({ energy_j, energy_method, cost, cost_currency, co2_g }: LogEntry): string {
  const parts = [energy(energy_j)];
  if (cost !== null && cost_currency !== null) parts.push(money(cost, cost_currency));
  if (co2_g !== null) parts.push(co2(co2_g));
  if (energy_method !== null) parts.push(MEASURED_FROM[energy_method]);
  return parts.join(", ");
}

/** How the energy was measured. */
const MEASURED_FROM = {
  instant: "from power readings during the request",
  mean: "from the mean power of each second",
} as const;

function responseOf({ http_status, stream, done_reason }: LogEntry): string {
  const response = `HTTP ${http_status}, ${stream ? "streamed" : "not streamed"}`;
  return done_reason === null ? response : `${response}, finish reason: ${done_reason}`;
}

const SOURCES = {
  edge: "Through the edge",
  listener: "To the listener of the agent",
  bench: "By a bench of the box",
  system: "By the edge, which loaded or unloaded the model",
  unsealed: "By an agent of an earlier version, without the caller",
};

const sourceOf = ({ source }: LogEntry): string => (source === null ? UNKNOWN : SOURCES[source]);

const ROUTES: Record<RouteReason, string> = {
  named: "The caller named it",
  "only-holder": "No other box has the model",
  warm: "The model was in memory there",
  "on-disk": "The model was on disk there",
  sticky: "The conversation was there before",
  spill: "The other boxes were busy",
  failover: "Another box failed before it answered",
  operation: "Calls of one client that change models stay together",
  fits: "The model has room there",
  planned: "Somebody loaded or unloaded the model there",
  any: "Any box could serve it",
};

const routeOf = ({ route_reason }: LogEntry): string =>
  route_reason === null ? UNKNOWN : ROUTES[route_reason];

/** The boxes that had the request before, if any. */
const movesOf = ({ moved_from }: LogEntry): Fact[] =>
  moved_from === null
    ? []
    : [
        [
          "Moved from",
          movesIn(moved_from)
            .map(
              ({ box, reason, ms }) => `${box} (${reason.replaceAll("_", " ")}, ${duration(ms)})`,
            )
            .join(", then "),
        ],
      ];

const keyOf = ({ key_id, key_name }: LogEntry): string =>
  key_id === null ? UNKNOWN : key_name === null ? key_id : `${key_name} (${key_id})`;

/** The user and the session that the caller named, if any. */
const tagsOf = ({ end_user, session_id }: LogEntry): Fact[] => [
  ...(end_user === null ? [] : [["User", end_user] satisfies Fact]),
  ...(session_id === null ? [] : [["Session", session_id] satisfies Fact]),
];

function factsOf(entry: LogEntry): Fact[] {
  return [
    ["Accepted", momentInFull(entry.timestamp)],
    ["Endpoint", <code>{entry.endpoint}</code>],
    ["Choice of box", routeOf(entry)],
    ...movesOf(entry),
    ["Response", responseOf(entry)],
    ["First token", duration(entry.ttft_ms)],
    ["Tokens", `${count(entry.prompt_tokens)} in, ${count(entry.completion_tokens)} out`],
    ["Decode rate", tokenRate(decodeRate(entry))],
    ["Energy", energyOf(entry)],
    [
      "Tunnel resumed",
      entry.resumed === 0
        ? "Never"
        : entry.resumed === 1
          ? "Once"
          : `${count(entry.resumed)} times`,
    ],
    ["Received", sourceOf(entry)],
    ["Key", keyOf(entry)],
    ...tagsOf(entry),
    ["Caller address", entry.client_ip ?? UNKNOWN],
    ["User agent", entry.user_agent ?? UNKNOWN],
  ];
}

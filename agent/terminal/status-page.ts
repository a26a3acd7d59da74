/** The status of a box as text for a terminal. Pure. */
import { DAY_MS } from "../../protocol/day.ts";
import { gpuShareOf } from "../../protocol/inventory.ts";
import type { LocalStatus, StatusConcern, StatusRequest } from "../status/local-status.ts";
import {
  amountText,
  gigabytes,
  percentText,
  spanText,
  UNKNOWN_FIGURE,
  usedText,
  vramText,
  wattsText,
  wholeText,
} from "./format.ts";
import type { Paint, Style } from "./paint.ts";
import { shortenedText, type TextCell, type TextColumn, tableLines, wrappedText } from "./table.ts";

export type TerminalPage = {
  /** Columns of the terminal. */
  width: number;
  /** Lines of the terminal; null prints all. */
  height: number | null;
  paint: Paint;
};

const LABEL_CHARS = 10;
/** Wider lines are hard to read. */
const WIDTH_MAX = 120;
const KEY_CHARS = 8;

/** Returns the lines of the page. Requests come last, since there may be more of them than lines. */
export function statusPage(status: LocalStatus, { width, height, paint }: TerminalPage): string[] {
  const chars = Math.min(width, WIDTH_MAX);
  const above = [
    ...summary(status, chars, paint),
    ...status.concerns.flatMap((concern) => ["", ...concernLines(concern, chars, paint)]),
    ...section(MODEL_COLUMNS, modelRows(status), chars, paint),
    ...section(GPU_COLUMNS, gpuRows(status), chars, paint),
  ];
  const requests = requestLines(status, chars, paint);
  const lines = [...above, "", ...requests];
  if (height === null || lines.length <= height) return lines;
  const hidden = lines.length - height + 1;
  return [...lines.slice(0, height - 1), paint(`… ${hidden} more lines`, "dim")];
}

/** One value with its label. Each part begins on the same column if it needs several lines. */
function field(label: string, text: string, chars: number, paint: Paint, style: Style = "plain") {
  const [first = "", ...more] = wrappedText(text, chars - LABEL_CHARS);
  const rest = more.map((line) => " ".repeat(LABEL_CHARS) + paint(line, style));
  return [paint(label.padEnd(LABEL_CHARS), "dim") + paint(first, style), ...rest];
}

function summary(status: LocalStatus, chars: number, paint: Paint): string[] {
  const { agent, box, simulated, edge, ollama, records, system, gpu } = status;
  const line = (label: string, text: string, style?: Style) =>
    field(label, text, chars, paint, style);
  const since = spanText(status.now_ms - edge.since_ms);
  const way = edge.tunnel_ms === null ? "" : `, ${roundTripText(edge.tunnel_ms)}`;
  return [
    ...line("Box", simulated ? `${box}, simulated: its figures are made up` : box, "bold"),
    ...(edge.is_up
      ? line("Edge", `${edge.url}, connected for ${since}${way}`)
      : [
          ...line("Edge", `${edge.url}, not connected for ${since}`, "red"),
          ...line("", edge.reason ?? "the first attempt has not ended"),
          ...line("", ADVICE_OFFLINE, "bold"),
        ]),
    ...line("Agent", versionText(status)),
    ...line(agent.is_draining ? "Stopping" : "Running", processText(status)),
    ...(agent.update === null ? [] : line("Update", updateText(agent.update))),
    ...(ollama.reachable === false
      ? line("Ollama", `${ollama.url} does not answer`, "red")
      : line("Ollama", ollamaText(ollama))),
    ...(gpu.gpus.length > 0 ? [] : line("GPU", `none: ${gpu.error ?? "not read yet"}`)),
    ...line("Records", recordsText(records), records.lost > 0 ? "red" : "plain"),
    ...(system === null ? [] : line("Machine", machineText(system))),
  ];
}

const roundTripText = (ms: number): string =>
  ms < 1 ? "round trip below 1 ms" : `round trip ${Math.round(ms)} ms`;

const ADVICE_OFFLINE =
  "→ Requests from the edge do not reach this box. Check the network and the address; the agent keeps trying.";

function versionText({ agent, edge }: LocalStatus): string {
  if (edge.version === null) return agent.version;
  return edge.version === agent.version
    ? `${agent.version}, the version of its edge`
    : `${agent.version}, but its edge has ${edge.version}: update it on the Boxes page, or run install.sh`;
}

function processText({ agent, now_ms }: LocalStatus): string {
  const listening = agent.listen === null ? "" : `, listening on ${agent.listen}`;
  return `for ${spanText(now_ms - agent.started_at_ms)} as process ${agent.pid}${listening}`;
}

const updateText = ({ state, version, reason }: NonNullable<LocalStatus["agent"]["update"]>) =>
  `${state.replaceAll("_", " ")}: ${version}${reason === null ? "" : `, ${reason}`}`;

function ollamaText({ version, url, reachable, models }: LocalStatus["ollama"]): string {
  if (reachable === null) return `${url}, not polled yet`;
  return `${version ?? "unknown version"} at ${url}, ${counted(models, "model")} on disk`;
}

function recordsText({ waiting, lost }: LocalStatus["records"]): string {
  const sent = waiting === 0 ? "all delivered" : `${wholeText(waiting)} waiting for the edge`;
  return lost === 0 ? sent : `${sent}, ${wholeText(lost)} lost`;
}

function machineText(system: NonNullable<LocalStatus["system"]>): string {
  const { disk_used_bytes: used, disk_total_bytes: total } = system;
  const disk = used === null || total === null || total === 0 ? null : (100 * used) / total;
  const memory = usedText(system.memory_used_bytes, system.memory_total_bytes, 1_024 ** 3, "GiB");
  return `CPU ${percentText(system.cpu_percent)}, memory ${memory}, disk ${percentText(disk)} full`;
}

function concernLines({ severity, sentence, advice }: StatusConcern, chars: number, paint: Paint) {
  const style = severity === "critical" ? "red" : "yellow";
  const indented = (text: string, mark: string, shown: Style) =>
    wrappedText(text, chars - 2).map((line, place) =>
      paint(`${place === 0 ? mark : " "} ${line}`, shown),
    );
  return [
    ...indented(sentence, "!", style),
    ...(advice === null ? [] : indented(advice, "→", "plain")),
  ];
}

const section = (
  columns: readonly TextColumn[],
  rows: readonly (readonly TextCell[])[],
  chars: number,
  paint: Paint,
): string[] => (rows.length === 0 ? [] : ["", ...tableLines(columns, rows, chars, paint)]);

const MODEL_COLUMNS: readonly TextColumn[] = [
  { title: "MODEL IN MEMORY", isFlexible: true },
  { title: "SIZE", isFigure: true },
  { title: "IN VRAM", isFigure: true },
  { title: "ON GPU", isFigure: true },
  { title: "CONTEXT", isFigure: true },
  { title: "UNLOADS" },
];

const modelRows = ({ ollama, now_ms }: LocalStatus): TextCell[][] =>
  ollama.loaded.map((model) => {
    const share = gpuShareOf(model);
    return [
      model.name,
      gigabytes(model.size_bytes),
      gigabytes(model.size_vram_bytes),
      {
        text: percentText(share === null ? null : 100 * share),
        style: share !== null && share < 1 ? "yellow" : "plain",
      },
      wholeText(model.context_length),
      unloadText(model.expires_at, now_ms),
    ];
  });

/** Ollama reports a time centuries away for a model that stays. */
const STAYS_MS = 365 * DAY_MS;

function unloadText(expiresAt: string | null, nowMs: number): string {
  const leftMs = Date.parse(expiresAt ?? "") - nowMs;
  if (Number.isNaN(leftMs)) return UNKNOWN_FIGURE;
  if (leftMs > STAYS_MS) return "never";
  return leftMs <= 0 ? "now" : `in ${spanText(leftMs)}`;
}

const GPU_COLUMNS: readonly TextColumn[] = [
  { title: "GPU", isFlexible: true },
  { title: "BUSY", isFigure: true },
  { title: "VRAM", isFigure: true },
  { title: "TEMP", isFigure: true },
  { title: "POWER", isFigure: true },
];

const gpuRows = ({ gpu }: LocalStatus): TextCell[][] =>
  gpu.gpus.map((one) => [
    `${one.index} ${one.name}`,
    percentText(one.utilization_percent),
    vramText(one.memory_used_mb, one.memory_total_mb),
    one.temperature_c === null ? UNKNOWN_FIGURE : `${Math.round(one.temperature_c)} °C`,
    wattsText(one.power_draw_w, one.power_limit_w),
  ]);

const REQUEST_COLUMNS: readonly TextColumn[] = [
  { title: "REQUEST", isFlexible: true },
  { title: "PHASE" },
  { title: "AGE", isFigure: true },
  { title: "TOKENS", isFigure: true },
  { title: "TOK/S", isFigure: true },
  { title: "ENDPOINT" },
  { title: "KEY" },
];

function requestLines({ requests, now_ms, edge }: LocalStatus, chars: number, paint: Paint) {
  const waiting = requests.filter(isWaiting).length;
  if (requests.length === 0) return [paint("No request is in flight.", "dim")];
  const rates = requests.flatMap(({ tokens_per_second: rate }) => rate ?? []);
  const sum = rates.reduce((total, rate) => total + rate, 0);
  const title = [
    `${counted(requests.length, "request")} in flight`,
    ...(waiting === 0 ? [] : [`${waiting} of them waiting`]),
    ...(rates.length === 0 ? [] : [`${amountText(sum)} tok/s`]),
  ];
  // They began by the clock of the edge.
  const nowMs = now_ms - (edge.clock_skew_ms ?? 0);
  const rows = requests.map((request): TextCell[] => [
    request.model ?? UNKNOWN_FIGURE,
    { text: phaseText(request), style: isWaiting(request) ? "yellow" : "plain" },
    spanText(Math.max(0, nowMs - Date.parse(request.started_at))),
    wholeText(request.completion_tokens),
    request.tokens_per_second === null ? UNKNOWN_FIGURE : amountText(request.tokens_per_second),
    request.endpoint,
    shortenedText(request.key_id ?? UNKNOWN_FIGURE, KEY_CHARS),
  ]);
  return [paint(title.join(", "), "bold"), ...tableLines(REQUEST_COLUMNS, rows, chars, paint)];
}

const isWaiting = ({ phase }: StatusRequest): boolean => phase === "queue" || phase === "load";

const phaseText = ({ phase, queue_position }: StatusRequest): string =>
  phase === null
    ? UNKNOWN_FIGURE
    : queue_position === null
      ? phase
      : `${phase}, no. ${queue_position}`;

const counted = (count: number, noun: string): string =>
  `${wholeText(count)} ${noun}${count === 1 ? "" : "s"}`;

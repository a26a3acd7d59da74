/**
 * The page: totals, boxes and the last requests, refreshed every 5 seconds while it is visible.
 *
 * Everything from outside is set as text, never as markup. A key is kept for this tab only.
 */
import type { Health } from "../protocol/api/fleet.ts";
import type { CurrentStats, LogEntry, Logs } from "../protocol/api/stats.ts";

const REFRESH_MS = 5_000;
const KEY = "key";

const element = <E extends HTMLElement>(id: string): E => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page lacks #${id}`);
  return found as E;
};

/** The edge wants a key, or another one. */
class KeyNeeded extends Error {}

/** The answer's shape is not checked here: the page comes from the Worker that answers, in one version, and zod would be most of its bytes. */
async function read<T>(path: string): Promise<T> {
  const key = sessionStorage.getItem(KEY);
  const answer = await fetch(path, { headers: key === null ? {} : { authorization: `Bearer ${key}` } });
  if (answer.status === 401 || answer.status === 403) throw new KeyNeeded(key === null ? "" : "This key may not read.");
  if (!answer.ok) throw new Error(`the edge answered HTTP ${answer.status}`);
  return (await answer.json()) as T;
}

async function refresh(): Promise<void> {
  try {
    const [health, stats, { logs }] = await Promise.all([
      read<Health>("/api/health"),
      read<CurrentStats>("/api/stats/current"),
      read<Logs>("/api/stats/logs?limit=20"),
    ]);
    show(health, stats, logs);
  } catch (error) {
    if (error instanceof KeyNeeded) return askKey(error.message);
    const status = element("health");
    status.dataset.state = "unhealthy";
    status.textContent = `No answer from the edge: ${error instanceof Error ? error.message : String(error)}. Trying again.`;
    element("numbers").classList.add("stale");
  }
}

function show(health: Health, stats: CurrentStats, logs: LogEntry[]): void {
  element("login").hidden = true;
  element("numbers").hidden = false;
  element("numbers").classList.remove("stale");
  element("simulated").hidden = !health.simulated;
  const status = element("health");
  status.dataset.state = health.status;
  status.textContent = health.problems.length === 0 ? "healthy" : `${health.status}: ${health.problems.join("; ")}`;

  const totals: [name: string, value: string, more?: string][] = [
    ["Total requests", count(stats.total_requests)],
    ["Total tokens", count(stats.total_tokens)],
    ["Active models, 1 h", count(stats.models_in_use.length), stats.models_in_use.join(", ")],
    ["Avg latency", milliseconds(stats.avg_latency_ms)],
    ["P95 latency, 1 h", milliseconds(stats.latency_p95_ms)],
    ["Tokens / s", stats.tokens_per_second === null ? "–" : stats.tokens_per_second.toFixed(1)],
    ["Errors", `${count(stats.total_errors)}${stats.error_rate === null ? "" : ` (${(100 * stats.error_rate).toFixed(1)} %)`}`],
    ["In flight", count(stats.in_flight)],
  ];
  element("totals").replaceChildren(
    ...totals.map(([name, value, more]) => {
      const card = document.createElement("div");
      card.append(make("dt", name), make("dd", value));
      if (more) card.append(make("dd", more, "more"));
      return card;
    }),
  );

  table("boxes", ["Box", "State", "Ollama", "Last seen"], health.boxes, (box) => [
    make("td", box.simulated ? `${box.name} (simulated)` : box.name),
    make("td", box.state, box.state),
    make("td", box.ollama_version ?? (box.ollama_reachable === false ? "does not answer" : "unknown")),
    make("td", box.last_seen === null ? "now" : new Date(box.last_seen).toLocaleString()),
  ]);
  table("logs", ["Time", "Box", "Model", "Endpoint", "Status", "Latency", "Tokens", "Prompt"], logs, (log) => [
    make("td", new Date(log.timestamp).toLocaleTimeString()),
    make("td", log.box ?? "–"),
    make("td", log.model ?? "–"),
    make("td", log.endpoint),
    make("td", log.status, log.status),
    make("td", milliseconds(log.latency_ms), "number"),
    make("td", log.tokens_used === null ? "–" : count(log.tokens_used), "number"),
    make("td", log.error_message ?? log.prompt ?? "–", "text"),
  ]);
}

function table<Row>(id: string, titles: string[], rows: Row[], cells: (row: Row) => HTMLElement[]): void {
  const head = document.createElement("thead");
  head.append(row(titles.map((title) => make("th", title))));
  const body = document.createElement("tbody");
  body.append(...(rows.length > 0 ? rows.map((each) => row(cells(each))) : [row([make("td", "none yet")])]));
  element(id).replaceChildren(head, body);
}

function row(cells: HTMLElement[]): HTMLTableRowElement {
  const line = document.createElement("tr");
  line.append(...cells);
  return line;
}

function make(tag: "td" | "th" | "dt" | "dd", text: string, className = ""): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className !== "") made.className = className;
  if (className === "text") made.title = text;
  if (tag === "th") made.setAttribute("scope", "col");
  return made;
}

const count = (value: number) => value.toLocaleString("en");
const milliseconds = (value: number | null) =>
  value === null ? "–" : value < 1_000 ? `${value.toFixed(0)} ms` : `${(value / 1_000).toFixed(2)} s`;

function askKey(message: string): void {
  element("numbers").hidden = true;
  element("login").hidden = false;
  element("login-error").textContent = message;
  element("health").textContent = "";
}

element<HTMLFormElement>("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, element<HTMLInputElement>("key").value.trim());
  void refresh();
});
document.addEventListener("visibilitychange", () => void (document.hidden || refresh()));
setInterval(() => void (document.hidden || !element("login").hidden || refresh()), REFRESH_MS);
void refresh();

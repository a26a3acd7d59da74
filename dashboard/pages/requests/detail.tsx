/** One request in full. Read when it is opened: the list has only the first words of long texts. */
import type { ComponentChildren } from "preact";
import type { LogEntry } from "../../../protocol/api/stats.ts";
import { preferences } from "../../data/preferences.ts";
import { useRead } from "../../data/query.ts";
import { CopyButton, Empty, FailureNote, Skeleton } from "../../parts/basics.tsx";
import {
  count,
  duration,
  energy,
  momentInFull,
  money,
  tokenRate,
  UNKNOWN,
} from "../../shape/format.ts";
import { costOf } from "../../shape/power.ts";
import { WaterfallTable } from "./waterfall.tsx";

export function Detail({ id }: { id: string }) {
  const { data, error, refetch } = useRead("/api/stats/logs", { query: { id } }, null);
  if (error !== null)
    return <FailureNote what="The request could not be read." why={error} again={refetch} />;
  if (data === null) return <Skeleton lines={4} />;
  const [entry] = data.logs;
  return entry === undefined ? (
    <Empty title="This request is not kept any more" />
  ) : (
    <Whole entry={entry} />
  );
}

function Whole({ entry }: { entry: LogEntry }) {
  return (
    <div class="detail">
      {entry.error_message !== null && (
        <p class="failure">
          <strong>
            {entry.failed_at === null ? "Failed" : `Failed at the ${entry.failed_at}`}:
          </strong>{" "}
          {entry.error_message}
        </p>
      )}
      <div class="detail-columns">
        <div class="texts">
          <Text name="Prompt" text={entry.prompt} />
          <Text name="Response" text={entry.response} />
        </div>
        <div>
          <WaterfallTable entry={entry} />
          <Facts facts={factsOf(entry)} />
        </div>
      </div>
    </div>
  );
}

const Text = ({ name, text }: { name: string; text: string | null }) => (
  <div class="text-block">
    <div class="text-head">
      <h3>{name}</h3>
      {text !== null && <CopyButton text={text} name={`the ${name.toLowerCase()}`} />}
    </div>
    {text === null ? (
      <p class="quiet">none, or not kept</p>
    ) : (
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      <pre tabIndex={0}>{text}</pre>
    )}
  </div>
);

type Fact = [name: string, value: ComponentChildren];

const Facts = ({ facts }: { facts: Fact[] }) => (
  <dl class="facts">
    {facts.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
);

/** Its share of what the GPUs drew, and what that costs where a price is set. */
function energyOf(joules: number | null): string {
  const { price, currency } = preferences.value;
  if (joules === null || price === null) return energy(joules);
  return `${energy(joules)}, ${money(costOf(joules, price), currency)}`;
}

function factsOf(entry: LogEntry): Fact[] {
  const { completion_tokens, decode_ms } = entry;
  const rate =
    completion_tokens !== null && decode_ms ? (1_000 * completion_tokens) / decode_ms : null;
  return [
    ["Request id", <code>{entry.id}</code>],
    ["Accepted", momentInFull(entry.timestamp)],
    ["Called", <code>{entry.endpoint}</code>],
    [
      "Answer",
      `HTTP ${entry.http_status}, ${entry.stream ? "streamed" : "whole"}${entry.done_reason === null ? "" : `, ended by ${entry.done_reason}`}`,
    ],
    ["First token", duration(entry.ttft_ms)],
    ["Tokens", `${count(entry.prompt_tokens)} in, ${count(entry.completion_tokens)} out`],
    ["Decode rate", tokenRate(rate)],
    ["Energy", energyOf(entry.energy_j)],
    [
      "Tunnel resumed",
      entry.resumed === 0
        ? "never"
        : entry.resumed === 1
          ? "once"
          : `${count(entry.resumed)} times`,
    ],
    ["Key", entry.key_id ?? UNKNOWN],
    ["Caller", entry.client_ip ?? UNKNOWN],
    ["Program", entry.user_agent ?? UNKNOWN],
  ];
}

/** One request in full: why it took its time, its texts, and its facts. */
import type { LogEntry } from "../../../protocol/api/logs.ts";
import { CopyButton } from "../../parts/basics.tsx";
import { RequestFacts } from "./facts.tsx";
import { WaterfallTable } from "./waterfall.tsx";

const FAILED: Record<NonNullable<LogEntry["failed_at"]>, string> = {
  gateway: "Failed at the edge",
  tunnel: "Failed in the tunnel",
  ollama: "Failed in Ollama",
};

export const RequestDetail = ({ entry }: { entry: LogEntry }) => (
  <>
    {entry.error_message !== null && (
      <p class="failure">
        <strong>{entry.failed_at === null ? "Failed" : FAILED[entry.failed_at]}:</strong>{" "}
        {entry.error_message}
      </p>
    )}
    <WaterfallTable entry={entry} />
    <Text name="Prompt" text={entry.prompt} />
    <Text name="Response" text={entry.response} />
    <RequestFacts entry={entry} />
  </>
);

const Text = ({ name, text }: { name: string; text: string | null }) => (
  <div class="text-block">
    <div class="text-head">
      <h3>{name}</h3>
      {text !== null && <CopyButton text={text} name={`the ${name.toLowerCase()}`} />}
    </div>
    {text === null ? (
      <p class="quiet">None, or not stored</p>
    ) : (
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable area must be reachable by keyboard
      <pre tabIndex={0}>{text}</pre>
    )}
  </div>
);

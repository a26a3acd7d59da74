/**
 * The panel of one request. It stays while the list changes, and opens any id: in flight, in the ledger,
 * or in an external store.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import type { InFlight } from "../../../protocol/api/live.ts";
import type { LogDetail, LogEntry } from "../../../protocol/api/logs.ts";
import { callKindOf } from "../../../protocol/call-kind.ts";
import { nowMs } from "../../data/clock.ts";
import { isExpected } from "../../data/expected-record.ts";
import { live } from "../../data/live.ts";
import { type QueryState, useQuery } from "../../data/query.ts";
import { hasScope } from "../../data/self.ts";
import { CopyButton, Empty, FailureNote, Skeleton } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { CloseIcon } from "../../parts/icons.tsx";
import { ModelLink } from "../../parts/place-links.tsx";
import { curlOf, holdsPrompt } from "../../shape/curl.ts";
import { elapsed } from "../../shape/format.ts";
import { statusText } from "../../shape/request-figures.ts";
import { hashOf } from "../../shape/route.ts";
import { RequestDetail } from "./detail.tsx";
import { flightState } from "./in-flight.tsx";
import { SecondRun } from "./second-run.tsx";
import { StopButton } from "./stop.tsx";

type Props = {
  id: string;
  /** The list has it, so it is finished and its record is read at once. */
  isListed: boolean;
  open: (id: string | null) => void;
  /** The requests before and after it in the list; null at its ends. */
  neighbours: { newer: string | null; older: string | null };
};

export function Side({ id, isListed, open, neighbours }: Props) {
  const flying = live.value?.value.in_flight.find(({ request_id }) => request_id === id) ?? null;
  const [wasFlying, setWasFlying] = useState(flying !== null);
  useEffect(() => {
    if (flying !== null) setWasFlying(true);
  }, [flying !== null]);
  const [wasListed] = useState(isListed);
  // The record of any other request is there or is nowhere, so it is read at once.
  const isAwaited = !wasListed && (wasFlying || isExpected(id));
  const [isFound, setIsFound] = useState(false);
  const search = useQuery("/api/stats/logs", { query: { id } }, isFound ? null : 0, isAwaited);
  const found = search.data?.logs[0] ?? null;
  useEffect(() => setIsFound(found !== null), [found !== null]);
  // A finished request never changes.
  const record = useQuery(
    "/api/stats/logs/{id}",
    { params: { id } },
    null,
    !isAwaited || found !== null,
  );
  const entry = record.data ?? found;
  const heading = useRef<HTMLHeadingElement>(null);
  // Where it covers the list, the reader is in it now.
  useEffect(() => {
    if (matchMedia("(max-width: 1179px)").matches) heading.current?.focus();
  }, []);
  const read = isAwaited ? search : record;
  const isMissing = isAwaited ? search.data !== null : record.isMissing;
  const { newer, older } = neighbours;
  const about = entry ?? flying;
  return (
    <aside class="side" aria-label="Request">
      <div class="side-head">
        <h2 ref={heading} tabIndex={-1}>
          {entry !== null && (
            <i class={`status ${entry.status}`} role="img" aria-label={statusText(entry)} />
          )}
          {about === null ? "Request" : <Title about={about} />}
        </h2>
        <button type="button" class="small" disabled={newer === null} onClick={() => open(newer)}>
          ↑<span class="sr-only">Newer request</span>
        </button>
        <button type="button" class="small" disabled={older === null} onClick={() => open(older)}>
          ↓<span class="sr-only">Older request</span>
        </button>
        <button type="button" class="plain" aria-label="Close" onClick={() => open(null)}>
          <CloseIcon />
        </button>
      </div>
      <p class="side-id">
        <code>{id}</code> <CopyButton text={id} name="the request ID" />
      </p>
      {entry !== null ? (
        <Finished key={id} entry={entry} open={open} record={record} />
      ) : flying !== null ? (
        <Flying request={flying} />
      ) : isMissing ? (
        <Empty title="No finished request with this ID is stored">
          <p>
            <button type="button" onClick={read.refetch}>
              Look again
            </button>
          </p>
        </Empty>
      ) : read.error !== null ? (
        <FailureNote title="Could not load the request." detail={read.error} retry={read.refetch} />
      ) : (
        <Skeleton lines={6} />
      )}
    </aside>
  );
}

const Title = ({ about: { model, endpoint, box } }: { about: LogEntry | InFlight }) => (
  <>
    {model === null ? endpoint : <ModelLink model={model} />}
    {box !== null && (
      <>
        {" "}
        on <BoxCell box={box} isBrief isLink />
      </>
    )}
  </>
);

const Flying = ({ request }: { request: InFlight }) => (
  <>
    <p>
      <b>{elapsed(nowMs.value - Date.parse(request.started_at))}</b> in flight:{" "}
      {flightState(request)}.
    </p>
    <div class="side-actions">
      <StopButton request={request} />
    </div>
  </>
);

type FinishedProps = {
  entry: LogEntry;
  open: Props["open"];
  /** The same with its explanation, once it is read. */
  record: QueryState<LogDetail>;
};

function Finished({ entry, open, record }: FinishedProps) {
  const [replays, setReplays] = useState(0);
  const kind = callKindOf(entry.endpoint);
  const isChat = kind === "chat" || kind === "generate";
  const curl = curlOf(entry, location.origin);
  const link = `${location.origin}/${hashOf("requests", { open: entry.id })}`;
  // Everything below moves if the sentence comes later.
  if (record.data === null && record.error === null) return <Skeleton lines={6} />;
  return (
    <>
      {record.data !== null && <p class="explanation">{record.data.explanation}.</p>}
      <div class="side-actions">
        {isChat && entry.model !== null && hasScope("infer") && (
          <button
            type="button"
            class="small"
            disabled={!holdsPrompt(entry)}
            title={
              holdsPrompt(entry)
                ? "Sends the stored prompt again, as one message"
                : "Its whole prompt is not stored"
            }
            onClick={() => setReplays(replays + 1)}
          >
            Replay
          </button>
        )}
        {curl !== null && <CopyButton text={curl} label="Copy as curl" />}
        <CopyButton text={link} label="Copy link" />
      </div>
      {replays > 0 && <SecondRun key={replays} entry={entry} open={open} />}
      <RequestDetail entry={entry} />
    </>
  );
}

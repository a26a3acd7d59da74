/** A message with its answers: one, or two side by side, with their phases on a common time axis. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { LogEntry } from "../../../protocol/api/logs.ts";
import { isExpected } from "../../data/expected-record.ts";
import { useQuery } from "../../data/query.ts";
import { isOpenEdge } from "../../data/self.ts";
import { CopyButton, Pill } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { lazy } from "../../parts/lazy.tsx";
import { ModelLink } from "../../parts/place-links.tsx";
import type { Message } from "../../shape/chat.ts";
import { chatCurl } from "../../shape/chat-curl.ts";
import type { Turn } from "../../shape/chat-sides.ts";
import { count, tokenRate } from "../../shape/format.ts";
import { hashOf } from "../../shape/route.ts";
import { Picture } from "./composer.tsx";
import { stopAnswer } from "./conversation.ts";
import { Markdown } from "./markdown.tsx";

/** Needed only once an answer has its record. */
const Figures = lazy(async () => (await import("./figures.tsx")).AnswerFigures);

type Props = Turn & {
  /** The conversation up to here, without the answers. */
  before: readonly Message[];
  isLast: boolean;
};

export function TurnItems({ question, answers, before, isLast }: Props) {
  const [first, second] = answers;
  const records = [useRecord(first, isLast), useRecord(second, isLast)];
  const axisMs = Math.max(0, ...records.map((record) => record?.latency_ms ?? 0));
  const [one, other] = records;
  const isShared = one != null && other != null && one.box !== null && one.box === other.box;
  return (
    <>
      <li class="message user">
        {question.content}
        {question.images.length > 0 && (
          <div class="attached">
            {question.images.map((image, index) => (
              <Picture key={index} image={image} />
            ))}
          </div>
        )}
      </li>
      {answers.length > 0 && (
        <li class={answers.length > 1 ? "answers two" : "answers"}>
          {answers.map((answer, index) => (
            <Answer
              key={answer.side}
              message={answer}
              hadImages={question.images.length > 0}
              before={before}
              record={records[index] ?? null}
              axisMs={axisMs}
              isPaired={answers.length > 1}
            />
          ))}
          {isShared && (
            <p class="quiet shared">
              Both ran on {one.box} at the same time, so each may have slowed the other.
            </p>
          )}
        </li>
      )}
    </>
  );
}

/** Returns the record of an answer once there is one. Old answers keep their link only. */
function useRecord(answer: Message | undefined, isLast: boolean): LogEntry | null {
  const id = answer?.state === "streaming" ? null : (answer?.id ?? null);
  const [isFound, setIsFound] = useState(false);
  const [wasLast] = useState(isLast);
  const { data } = useQuery(
    "/api/stats/logs",
    { query: { id: id ?? "" } },
    !isFound && id !== null && isExpected(id) ? 0 : null,
    wasLast && id !== null,
  );
  const found = id === null ? null : (data?.logs[0] ?? null);
  useEffect(() => setIsFound(found !== null), [found !== null]);
  return found;
}

type AnswerProps = {
  message: Message;
  hadImages: boolean;
  before: readonly Message[];
  record: LogEntry | null;
  axisMs: number;
  isPaired: boolean;
};

function Answer({ message, hadImages, before, record, axisMs, isPaired }: AnswerProps) {
  const { content, thinking, state, error, model, side, asked } = message;
  const name = model ?? "The default model";
  const isStreaming = state === "streaming";
  const curl = useMemo(
    () =>
      asked === null || isStreaming
        ? null
        : chatCurl(
            before,
            { ...message, asked },
            { origin: location.origin, isOpen: isOpenEdge() },
          ),
    [message],
  );
  return (
    <article class="message assistant" aria-busy={isStreaming} aria-label={`Answer of ${name}`}>
      {isPaired && (
        <p class="answer-head">
          {model === null ? name : <ModelLink model={model} />}
          {message.box !== null && message.box !== "" && <BoxCell box={message.box} isBrief />}
          {isStreaming && (
            <button type="button" class="small" onClick={() => stopAnswer(side)}>
              Stop<span class="sr-only"> {name}</span>
            </button>
          )}
        </p>
      )}
      {hadImages && asked?.hasImages === false && (
        <p class="quiet">It reads no images and got the text alone.</p>
      )}
      {thinking !== "" && (
        <details class="thinking" open={content === "" && isStreaming}>
          <summary>Thinking</summary>
          {thinking}
        </details>
      )}
      {content === "" && thinking === "" && isStreaming ? (
        <span class="typing">Waiting for the first token…</span>
      ) : (
        <Markdown text={content} />
      )}
      {error !== null && (
        <p class="error-text" role="alert">
          {error}
        </p>
      )}
      {record !== null && <Figures record={record} axisMs={axisMs} />}
      <p class="message-foot">
        {!isPaired && model !== null && <span>{model}</span>}
        {!isPaired && message.box !== null && message.box !== "" && <span>on {message.box}</span>}
        {message.tokens !== null && <span>{count(message.tokens)} tokens</span>}
        {message.rate !== null && <b>{tokenRate(message.rate)}</b>}
        {message.id !== null && !isStreaming && (
          <a href={hashOf("requests", { open: message.id })}>Phases and cost</a>
        )}
        {state === "stopped" && <Pill tone="quiet">stopped</Pill>}
        {state === "failed" && <Pill tone="bad">failed</Pill>}
        {!isStreaming && (
          <span class="message-actions">
            {content !== "" && <CopyButton text={content} name="the response" />}
            {curl !== null && <CopyButton text={curl} label="Copy as curl" />}
          </span>
        )}
      </p>
    </article>
  );
}

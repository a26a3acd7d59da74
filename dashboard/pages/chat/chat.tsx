/** A chat with a model, to check that it works and how fast it is. */
import { useEffect, useRef, useState } from "preact/hooks";
import { live } from "../../data/live.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { useQuery } from "../../data/query.ts";
import { CopyButton, Empty, Pill } from "../../parts/basics.tsx";
import type { Message } from "../../shape/chat.ts";
import { count, tokenRate } from "../../shape/format.ts";
import { hashOf } from "../../shape/route.ts";
import {
  chatOptions,
  forgetConversation,
  isAnswering,
  messages,
  sendMessage,
  stopAnswer,
} from "./conversation.ts";
import { Markdown } from "./markdown.tsx";

/**
 * The page follows the answer only if the viewer is this close to its end; a viewer further up is
 * reading.
 */
const FOLLOW_PX = 120;

export function ChatPage() {
  const { model = "", box = "" } = place.value.query;
  const { data: installed } = useQuery("/api/ollama/models", {}, 30_000);
  const boxes =
    live.value?.value.boxes.filter(({ state }) => state === "up").map(({ name }) => name) ?? [];
  const models = [
    ...new Set(
      installed?.models
        .filter((each) => box === "" || each.boxes.includes(box))
        .map(({ name }) => name) ?? [],
    ),
  ];
  const shown = model === "" || models.includes(model) ? models : [model, ...models];
  const all = messages.value;
  const end = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const { scrollHeight, scrollTop, clientHeight } = document.documentElement;
    if (scrollHeight - scrollTop - clientHeight < FOLLOW_PX)
      end.current?.scrollIntoView({ block: "end" });
  }, [all]);

  return (
    <div class="chat">
      <div class="chat-head">
        <label class="pick">
          <span class="sr-only">Model</span>
          <select
            value={model}
            onChange={(event) => replaceQuery("chat", { model: event.currentTarget.value, box })}
          >
            <option value="">Default model</option>
            {shown.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label class="pick">
          <span class="sr-only">Box</span>
          <select
            value={box}
            onChange={(event) => replaceQuery("chat", { model, box: event.currentTarget.value })}
          >
            <option value="">Any box</option>
            {boxes.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <ChatParameters />
        {all.length > 0 && (
          <button type="button" class="small" onClick={forgetConversation}>
            New chat
          </button>
        )}
      </div>
      {all.length === 0 ? (
        <Empty title="Send a message to a model">
          <p>
            Each message is an ordinary request: it is counted and appears on the Requests page. The
            conversation itself stays in this browser.
          </p>
        </Empty>
      ) : (
        <ol class="messages" aria-label="Conversation">
          {all.map((message, index) => (
            <Bubble key={index} message={message} />
          ))}
        </ol>
      )}
      <p class="sr-only" role="status">
        {isAnswering() ? "The model is responding" : (all.at(-1)?.state ?? "")}
      </p>
      <Composer send={(text) => void sendMessage(text, { model, box })} />
      <div ref={end} />
    </div>
  );
}

function Bubble({ message }: { message: Message }) {
  const { role, content, thinking, state, error } = message;
  if (role === "user") return <li class="message user">{content}</li>;
  return (
    <li class="message assistant" aria-busy={state === "streaming"}>
      {thinking !== "" && (
        <details class="thinking" open={content === "" && state === "streaming"}>
          <summary>Thinking</summary>
          {thinking}
        </details>
      )}
      {content === "" && thinking === "" && state === "streaming" ? (
        <span class="typing">Waiting for the first token…</span>
      ) : (
        <Markdown text={content} />
      )}
      {error !== null && (
        <p class="error-text" role="alert">
          {error}
        </p>
      )}
      <p class="message-foot">
        {message.model !== null && <span>{message.model}</span>}
        {message.box !== null && message.box !== "" && <span>on {message.box}</span>}
        {message.tokens !== null && <span>{count(message.tokens)} tokens</span>}
        {message.rate !== null && <b>{tokenRate(message.rate)}</b>}
        {message.id !== null && state !== "streaming" && (
          <a href={hashOf("requests", { open: message.id })}>Phases and cost</a>
        )}
        {state === "stopped" && <Pill tone="quiet">stopped</Pill>}
        {state === "failed" && <Pill tone="bad">failed</Pill>}
        {state !== "streaming" && content !== "" && (
          <CopyButton text={content} name="the response" />
        )}
      </p>
    </li>
  );
}

/** The system prompt and the parameters of the next messages. */
function ChatParameters() {
  const options = chatOptions.value;
  const set = (changes: Partial<typeof options>) => {
    chatOptions.value = { ...options, ...changes };
  };
  return (
    <details class="chat-options">
      <summary>Parameters</summary>
      <label>
        System prompt
        <textarea
          rows={3}
          value={options.system}
          onInput={(event) => set({ system: event.currentTarget.value })}
        />
      </label>
      <label>
        Temperature
        <input
          type="number"
          min={0}
          max={2}
          step={0.1}
          placeholder="Default of the model"
          value={options.temperature}
          onInput={(event) => set({ temperature: event.currentTarget.value })}
        />
      </label>
      <label>
        Most output tokens
        <input
          type="number"
          min={1}
          step={1}
          placeholder="No limit"
          value={options.maxTokens}
          onInput={(event) => set({ maxTokens: event.currentTarget.value })}
        />
      </label>
    </details>
  );
}

function Composer({ send }: { send: (text: string) => void }) {
  const [text, setText] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    if (text.trim() === "" || isAnswering()) return;
    send(text.trim());
    setText("");
  };
  return (
    <form class="composer" onSubmit={submit}>
      <textarea
        aria-label="Message"
        placeholder="Message (Enter to send, Shift+Enter for a new line)"
        rows={2}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
        }}
      />
      {isAnswering() ? (
        <button type="button" class="danger" onClick={stopAnswer}>
          Stop
        </button>
      ) : (
        <button type="submit" class="primary" disabled={text.trim() === ""}>
          Send
        </button>
      )}
    </form>
  );
}

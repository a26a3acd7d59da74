/** A chat with one model or two, to check that they work, how well they answer and how fast. */
import { useEffect, useRef } from "preact/hooks";
import { place, replaceQuery } from "../../data/place.ts";
import { Empty } from "../../parts/basics.tsx";
import { announcementOf, queryOfSeats, seatsOf, turnsIn } from "../../shape/chat-sides.ts";
import { Composer } from "./composer.tsx";
import { chatOptions, forgetConversation, messages, sendMessage } from "./conversation.ts";
import { Seats } from "./seats.tsx";
import { TurnItems } from "./turn.tsx";
import { useVision } from "./vision.ts";

/**
 * The page follows the answer only if the viewer is this close to its end; a viewer further up is
 * reading.
 */
const FOLLOW_PX = 120;
const NOBODY = { model: "", box: "" };

export function ChatPage() {
  const seats = seatsOf(place.value.query);
  const [first = NOBODY, second = NOBODY] = seats;
  const sight = [useVision(first), useVision(second)];
  const recipients = seats.map((seat, index) => ({ ...seat, sees: sight[index] ?? null }));
  const blind = recipients.filter(({ sees }) => sees === false).map(({ model }) => model);
  const all = messages.value;
  const turns = turnsIn(all);
  const isPaired = seats.length > 1 || turns.some(({ answers }) => answers.length > 1);
  const end = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const { scrollHeight, scrollTop, clientHeight } = document.documentElement;
    if (scrollHeight - scrollTop - clientHeight < FOLLOW_PX)
      end.current?.scrollIntoView({ block: "end" });
  }, [all]);

  return (
    <div class={isPaired ? "chat paired" : "chat"}>
      <div class="chat-head">
        <Seats seats={seats} choose={(chosen) => replaceQuery("chat", queryOfSeats(chosen))} />
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
          {turns.map((turn, index) => (
            <TurnItems
              key={index}
              {...turn}
              before={all.slice(0, all.indexOf(turn.question) + 1)}
              isLast={index === turns.length - 1}
            />
          ))}
        </ol>
      )}
      <p class="sr-only" role="status">
        {announcementOf(all)}
      </p>
      <Composer
        send={(text, images) => sendMessage(text, images, recipients)}
        blind={[...new Set(blind)]}
        asked={seats.length}
      />
      <div ref={end} />
    </div>
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

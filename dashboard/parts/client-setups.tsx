/** The lines that set up a client, one client at a time. */
import { useSignal } from "@preact/signals";
import { CLIENT_SETUPS } from "../shape/clients.ts";
import { Command } from "./basics.tsx";

type Props = {
  /** Null if the edge is open. */
  apiKey: string | null;
  /** A model that the key may use; null if none is known. */
  model: string | null;
};

/** Stands for a model if no box has one. */
const ANY_MODEL = "llama3.2";

export function ClientSetups({ apiKey, model }: Props) {
  const chosen = useSignal(CLIENT_SETUPS[0]?.id ?? "");
  const setup = CLIENT_SETUPS.find(({ id }) => id === chosen.value);
  const access = { edge: location.origin, key: apiKey, model: model ?? ANY_MODEL };
  return (
    <div class="client-setups">
      <label class="field">
        <span>Set up a client</span>
        <select
          value={chosen.value}
          onChange={(event) => {
            chosen.value = event.currentTarget.value;
          }}
        >
          {CLIENT_SETUPS.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {setup !== undefined && (
        <>
          <p class="quiet">{marked(setup.where)}</p>
          <Command text={setup.lines(access)} name={`the lines for ${setup.name}`} />
        </>
      )}
    </div>
  );
}

/** Shows what stands between backticks as code. */
const marked = (text: string) =>
  text.split("`").map((part, index) => (index % 2 === 1 ? <code key={part}>{part}</code> : part));

/** The lines that set up a client, one client at a time. */
import { useSignal } from "@preact/signals";
import { hasScope } from "../data/self.ts";
import { CLIENT_SETUPS, noModelText } from "../shape/clients.ts";
import { Command } from "./basics.tsx";

type Props = {
  /** Null if the edge is open. */
  apiKey: string | null;
  /** The key may call these now; null if unknown. */
  models: readonly string[] | null;
  /** The models of its policy; null: all. */
  allowed: readonly string[] | null;
};

/** Stands for a model if it is unknown which ones the key may call. */
const ANY_MODEL = "llama3.2";

export function ClientSetups({ apiKey, models, allowed }: Props) {
  const chosen = useSignal(CLIENT_SETUPS[0]?.id ?? "");
  const setup = CLIENT_SETUPS.find(({ id }) => id === chosen.value);
  const [model] = models ?? [ANY_MODEL];
  if (model === undefined)
    return <p class="warn-text">{noModelText(allowed, hasScope("admin"))}</p>;
  const access = { edge: location.origin, key: apiKey, model };
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

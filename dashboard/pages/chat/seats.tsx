/** The choice of whom to ask: a model and a box, and if wanted a second model beside it. */
import { live } from "../../data/live.ts";
import { useQuery } from "../../data/query.ts";
import { CloseIcon } from "../../parts/icons.tsx";
import { type Seat, seatBeside } from "../../shape/chat-sides.ts";

type Props = { seats: readonly Seat[]; choose: (seats: Seat[]) => void };

export function Seats({ seats, choose }: Props) {
  const { data: installed } = useQuery("/api/ollama/models", {}, 30_000);
  const boxes =
    live.value?.value.boxes.filter(({ state }) => state === "up").map(({ name }) => name) ?? [];
  const modelsOn = (box: string) => [
    ...new Set(
      installed?.models
        .filter((each) => box === "" || each.boxes.includes(box))
        .map(({ name }) => name) ?? [],
    ),
  ];
  const [first] = seats;
  const beside = first && seats.length === 1 ? seatBeside(first, modelsOn(""), boxes) : null;
  return (
    <>
      {seats.map((seat, index) => (
        <div key={index} class="seat">
          <Pick
            name={index === 0 ? "Model" : "Second model"}
            value={seat.model}
            names={modelsOn(seat.box)}
            nobody={index === 0 ? "Default model" : null}
            choose={(model) => choose(seats.with(index, { ...seat, model }))}
          />
          <Pick
            name={index === 0 ? "Box" : "Second box"}
            value={seat.box}
            names={boxes}
            nobody="Any box"
            choose={(box) => choose(seats.with(index, { ...seat, box }))}
          />
          {index === 1 && (
            <button
              type="button"
              class="plain"
              aria-label="Remove the second model"
              onClick={() => {
                choose(seats.slice(0, 1));
                focusSoon("#add-seat");
              }}
            >
              <CloseIcon />
            </button>
          )}
        </div>
      ))}
      {beside !== null && (
        <button
          type="button"
          class="small"
          id="add-seat"
          onClick={() => {
            choose([...seats, beside]);
            focusSoon(".seat:last-of-type select");
          }}
        >
          Compare with a second model
        </button>
      )}
    </>
  );
}

/** The button that was pressed is gone, so the keyboard goes on at what took its place. */
function focusSoon(selector: string): void {
  requestAnimationFrame(() => document.querySelector<HTMLElement>(selector)?.focus());
}

type PickProps = {
  name: string;
  value: string;
  names: readonly string[];
  /** The choice of none; null if one has to be chosen. */
  nobody: string | null;
  choose: (value: string) => void;
};

function Pick({ name, value, names, nobody, choose }: PickProps) {
  const shown = value === "" || names.includes(value) ? names : [value, ...names];
  return (
    <label class="pick">
      <span class="sr-only">{name}</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        {nobody !== null && <option value="">{nobody}</option>}
        {shown.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </label>
  );
}

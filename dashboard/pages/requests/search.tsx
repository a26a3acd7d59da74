/** Search in the texts of requests, or for the id of one. */
import { useEffect, useState } from "preact/hooks";

/** The search starts after this long without a keystroke. */
const TYPING_MS = 300;

type Props = { value: string; change: (value: string) => void };

export function Search({ value, change }: Props) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    if (typed === value) return;
    const timer = setTimeout(() => change(typed.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <input
      type="search"
      class="search"
      aria-label="Search texts, or enter a request ID"
      placeholder="Search texts, or enter a request ID"
      maxLength={200}
      value={typed}
      onInput={(event) => setTyped(event.currentTarget.value)}
    />
  );
}

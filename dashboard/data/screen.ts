/** The width of the screen, for what stands elsewhere on a phone. */
import { signal } from "@preact/signals";

/** The same width as in the style sheets. */
const narrow = matchMedia("(max-width: 859px)");

export const isNarrow = signal(narrow.matches);

narrow.addEventListener("change", ({ matches }) => {
  isNarrow.value = matches;
});

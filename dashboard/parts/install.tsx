/** How the first box is connected. */
import { hasScope } from "../data/self.ts";
import { hashOf } from "../shape/route.ts";

/** The empty state of an edge without boxes. */
export const NoBox = () => (
  <div class="empty">
    <p class="empty-title">No boxes have connected yet</p>
    <p>A box is a machine with Ollama. One line on it connects it to this edge.</p>
    {hasScope("admin") && (
      <a class="button primary" href={hashOf("boxes", { add: "box" })}>
        Add a box
      </a>
    )}
  </div>
);

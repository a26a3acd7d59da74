/** Asks for a key where the edge wants one. */
import { useState } from "preact/hooks";
import { locked, unlock } from "../data/key.ts";

export function Login() {
  const [typed, setTyped] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    if (typed.trim() !== "") unlock(typed.trim());
  };
  return (
    <form class="login" onSubmit={submit}>
      <h1>This edge needs a key</h1>
      <p>
        <code>READ_KEY</code> shows everything, <code>ADMIN_KEY</code> can also change it. It is
        kept in this tab until you close it, and sent in a header.
      </p>
      <label for="key">Key</label>
      <input
        id="key"
        type="password"
        autocomplete="current-password"
        required
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
      />
      {locked.value !== null && locked.value !== "" && (
        <p class="error-text" role="alert">
          {locked.value}
        </p>
      )}
      <button type="submit" class="primary">
        Show the numbers
      </button>
    </form>
  );
}

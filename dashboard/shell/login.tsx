/** The sign-in form, shown if the edge requires an API key. */
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
      <h1>Sign in</h1>
      <p>
        This edge requires an API key. <code>READ_KEY</code> can view everything;{" "}
        <code>ADMIN_KEY</code> can also make changes. Closing this tab signs you out.
      </p>
      <label for="key">API key</label>
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
        Sign in
      </button>
    </form>
  );
}

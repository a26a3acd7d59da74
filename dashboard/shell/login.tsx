/** The sign-in form, shown if the edge requires an API key. */
import { useState } from "preact/hooks";
import { errorMessage } from "../data/api.ts";
import { locked, signIn } from "../data/session.ts";

export function Login() {
  const [typed, setTyped] = useState("");
  const [failure, setFailure] = useState(locked.value ?? "");
  const [isSending, setIsSending] = useState(false);
  const submit = (event: Event) => {
    event.preventDefault();
    if (typed.trim() === "" || isSending) return;
    setIsSending(true);
    signIn(typed.trim())
      .catch((error: unknown) => setFailure(errorMessage(error)))
      .finally(() => setIsSending(false));
  };
  return (
    <form class="login" onSubmit={submit}>
      <h1>Sign in</h1>
      <p>
        This edge requires an API key: your own, which shows your usage, or <code>READ_KEY</code>,
        which can view everything, or <code>ADMIN_KEY</code>, which can also make changes. You stay
        signed in until the browser closes, for at most 7 days.
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
      {failure !== "" && (
        <p class="error-text" role="alert">
          {failure}
        </p>
      )}
      <button type="submit" class="primary">
        Sign in
      </button>
    </form>
  );
}

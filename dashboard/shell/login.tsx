/** The sign-in form, shown if the edge requires an API key. */
import { useEffect, useState } from "preact/hooks";
import { SIGN_IN_PATH } from "../../protocol/sign-in.ts";
import { errorMessage, read } from "../data/api.ts";
import { failedSignIn, locked, signIn } from "../data/session.ts";

export function Login() {
  const [typed, setTyped] = useState("");
  const [failure, setFailure] = useState(() => failedSignIn() ?? locked.value ?? "");
  const [issuer, setIssuer] = useState<string | null>(null);
  const [isSending, setIsSending] = useState(false);
  useEffect(() => {
    read("/api/session").then(
      (ways) => setIssuer(ways.issuer),
      () => {}, // a key still signs in
    );
  }, []);
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
      {issuer !== null && (
        <a class="button" href={SIGN_IN_PATH}>
          Sign in with {issuer}
        </a>
      )}
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

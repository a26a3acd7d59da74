/** The forms of `/api/docs`: send a request of the reader's browser, and show its answer as text. */

const SHOWN_CHARS_MAX = 20_000;

for (const form of document.querySelectorAll<HTMLFormElement>("form.try")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(form);
  });
}

async function send(form: HTMLFormElement): Promise<void> {
  const output = form.querySelector("output");
  const button = form.querySelector("button");
  if (output === null || button === null) return;
  button.disabled = true;
  const begunMs = performance.now();
  try {
    const answer = await fetch(urlOf(form), { headers: { accept: "application/json" } });
    const text = readable(await answer.text());
    const took = Math.round(performance.now() - begunMs);
    output.textContent = `HTTP ${answer.status}, ${took} ms\n${text}`;
  } catch (error) {
    output.textContent = `The edge is not responding: ${String(error)}`;
  } finally {
    button.disabled = false;
  }
}

function urlOf(form: HTMLFormElement): string {
  const query = new URLSearchParams();
  let path = form.dataset.path ?? "";
  for (const field of form.querySelectorAll("input")) {
    const value = field.value.trim();
    if (field.dataset.in === "path")
      path = path.replace(`{${field.name}}`, encodeURIComponent(value));
    else if (value !== "") query.set(field.name, value);
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

function readable(text: string): string {
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // not JSON: shown as it is
  }
  return shown.length <= SHOWN_CHARS_MAX
    ? shown
    : `${shown.slice(0, SHOWN_CHARS_MAX)}\n… ${shown.length - SHOWN_CHARS_MAX} more characters`;
}

/** The saved views of this browser, and a name to save the present one under. */
import { useState } from "preact/hooks";
import { removeView, savedViews, saveView } from "../data/saved-views.ts";
import { BookmarkIcon, CloseIcon } from "../parts/icons.tsx";
import { Menu } from "../parts/menu.tsx";

export const ViewsMenu = () => (
  <Menu title="Saved views" label="Saved views" class="plain" button={<BookmarkIcon />}>
    {(close) => <Views close={close} />}
  </Menu>
);

function Views({ close }: { close: () => void }) {
  const [name, setName] = useState("");
  return (
    <div class="views">
      <h2>Saved views</h2>
      {savedViews.value.length === 0 && (
        <p class="quiet hint">A view is a page with its box, model, key, time and filters.</p>
      )}
      <ul>
        {savedViews.value.map((view) => (
          <li key={view.name}>
            <a href={view.hash} onClick={close}>
              {view.name}
            </a>
            <button
              type="button"
              class="plain small"
              aria-label={`Remove ${view.name}`}
              onClick={() => removeView(view.name)}
            >
              <CloseIcon />
            </button>
          </li>
        ))}
      </ul>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          saveView(name);
          setName("");
        }}
      >
        <input
          aria-label="Name of this view"
          placeholder="Name of this view"
          autocomplete="off"
          required
          value={name}
          onInput={({ currentTarget }) => setName(currentTarget.value)}
        />
        <button type="submit">Save</button>
      </form>
    </div>
  );
}

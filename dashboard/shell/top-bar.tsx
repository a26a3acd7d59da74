/** The bar above every page: its scope, find, the age of the data, saved views and sharing. */
import { isNarrow } from "../data/screen.ts";
import { hasScope } from "../data/self.ts";
import { shared, shareView } from "../data/share.ts";
import { SearchIcon, ShareIcon } from "../parts/icons.tsx";
import type { Page } from "../shape/route.ts";
import { Brand } from "./brand.tsx";
import { Freshness } from "./freshness.tsx";
import { openOverlay } from "./overlays.ts";
import { ScopeBar } from "./scope-bar.tsx";
import { ViewsMenu } from "./views-menu.tsx";

const SHARE = { idle: "Share", copied: "Link copied", failed: "Copy failed" };

export const TopBar = ({ page }: { page: Page }) => (
  <header class="bar">
    <Brand />
    {!isNarrow.value && <ScopeBar key={page} page={page} />}
    {hasScope("stats") && (
      <button type="button" class="find" onClick={() => openOverlay("palette")}>
        <SearchIcon />
        <span>Find a request, model, box, action …</span>
        <kbd>Ctrl K</kbd>
      </button>
    )}
    <div class="bar-end">
      {hasScope("stats") && <Freshness />}
      <ViewsMenu />
      <button
        type="button"
        class="share"
        aria-live="polite"
        title="Copy the link to this view (y)"
        onClick={shareView}
      >
        <ShareIcon />
        <span>{SHARE[shared.value]}</span>
      </button>
    </div>
  </header>
);

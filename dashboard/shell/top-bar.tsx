/** The bar above every page: find, the age of the data, and sharing. */
import { hasScope } from "../data/self.ts";
import { shared, shareView } from "../data/share.ts";
import { SearchIcon, ShareIcon } from "../parts/icons.tsx";
import { Brand } from "./brand.tsx";
import { Freshness } from "./freshness.tsx";
import { openOverlay } from "./overlays.ts";

const SHARE = { idle: "Share", copied: "Link copied", failed: "Copy failed" };

export const TopBar = () => (
  <header class="bar">
    <Brand />
    {hasScope("stats") && (
      <button type="button" class="find" onClick={() => openOverlay("palette")}>
        <SearchIcon />
        <span>Find a request, model, box, action …</span>
        <kbd>Ctrl K</kbd>
      </button>
    )}
    <div class="bar-end">
      {hasScope("stats") && <Freshness />}
      <button type="button" class="share" aria-live="polite" onClick={shareView}>
        <ShareIcon />
        <span>{SHARE[shared.value]}</span>
      </button>
    </div>
  </header>
);

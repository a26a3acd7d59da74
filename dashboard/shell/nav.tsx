/** The navigation: beside the page, or below it on a phone, where a menu has what does not fit. */
import { useEffect, useRef } from "preact/hooks";
import { live } from "../data/live.ts";
import { MoreIcon } from "../parts/icons.tsx";
import { hashOf, type Page } from "../shape/route.ts";
import { ENTRIES, openPages } from "./pages.tsx";

/** On a phone, beside the menu. */
const PLACES = 5;

export function Nav({ page }: { page: Page }) {
  const menu = useRef<HTMLUListElement>(null);
  useEffect(() => menu.current?.hidePopover(), [page]);
  const pages = openPages();
  const fits = pages.length <= PLACES ? pages.length : PLACES - 1;
  const rest = pages.slice(fits);
  return (
    <nav class="nav" aria-label="Pages">
      <ul>
        {pages.map((each, index) => (
          <li key={each} class={index < fits ? undefined : "rest"}>
            <PageLink page={each} isCurrent={each === page} />
          </li>
        ))}
        {rest.length > 0 && (
          <li class="more">
            <button
              type="button"
              popovertarget="more-pages"
              class={rest.includes(page) ? "current" : undefined}
            >
              <MoreIcon />
              More
            </button>
          </li>
        )}
      </ul>
      {rest.length > 0 && (
        <ul id="more-pages" ref={menu} popover="auto">
          {rest.map((each) => (
            <li key={each}>
              <PageLink page={each} isCurrent={each === page} />
            </li>
          ))}
        </ul>
      )}
      <p class="nav-foot">
        <a href="/api/docs">API</a>{" "}
        {live.value !== null && <span>v{live.value.value.health.version}</span>}
      </p>
    </nav>
  );
}

function PageLink({ page, isCurrent }: { page: Page; isCurrent: boolean }) {
  const { name, brief = name, Icon } = ENTRIES[page];
  return (
    <a href={hashOf(page)} aria-current={isCurrent ? "page" : undefined}>
      <Icon />
      <span class="full">{name}</span>
      <span class="brief">{brief}</span>
    </a>
  );
}

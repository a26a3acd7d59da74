/** The navigation: beside the page, or below it on a phone, where a menu has what does not fit. */
import { useEffect, useRef } from "preact/hooks";
import { live } from "../data/live.ts";
import { linkTo } from "../data/scope.ts";
import { Simulated } from "../parts/basics.tsx";
import { MoreIcon } from "../parts/icons.tsx";
import type { Page } from "../shape/route.ts";
import { ENTRIES, GROUPS, listedPages } from "./pages.tsx";
import { ThemeSwitch } from "./theme.tsx";

/** On a phone, beside the menu. */
const PLACES = 5;

export function Nav({ page }: { page: Page }) {
  const menu = useRef<HTMLUListElement>(null);
  useEffect(() => menu.current?.hidePopover(), [page]);
  const pages = listedPages();
  const current = ENTRIES[page].within ?? page;
  const fits = pages.length <= PLACES ? pages.length : PLACES - 1;
  const rest = pages.slice(fits);
  return (
    <nav class="nav" aria-label="Pages">
      <div class="nav-groups">
        {GROUPS.map((group) => {
          const own = pages.filter((each) => ENTRIES[each].group === group);
          if (own.length === 0) return null;
          return (
            <ul key={group} aria-label={group}>
              <li class="nav-group" aria-hidden="true">
                {group}
              </li>
              {own.map((each) => (
                <li key={each} class={rest.includes(each) ? "rest" : undefined}>
                  <PageLink
                    page={each}
                    isCurrent={each === current}
                    digit={pages.indexOf(each) + 1}
                  />
                </li>
              ))}
            </ul>
          );
        })}
        {rest.length > 0 && (
          <ul class="more">
            <li>
              <button
                type="button"
                popovertarget="more-pages"
                class={rest.includes(current) ? "current" : undefined}
              >
                <MoreIcon />
                More
              </button>
            </li>
          </ul>
        )}
      </div>
      {rest.length > 0 && (
        <ul id="more-pages" ref={menu} popover="auto">
          {rest.map((each) => (
            <li key={each}>
              <PageLink page={each} isCurrent={each === current} />
            </li>
          ))}
        </ul>
      )}
      <div class="nav-foot">
        {live.value?.value.health.simulated && <Simulated />}
        <p>
          {live.value !== null && <span>v{live.value.value.health.version}</span>}
          <a href="/api/docs">API</a>
          <ThemeSwitch />
        </p>
      </div>
    </nav>
  );
}

type LinkProps = { page: Page; isCurrent: boolean; digit?: number };

function PageLink({ page, isCurrent, digit = 10 }: LinkProps) {
  const { name, brief = name, Icon } = ENTRIES[page];
  return (
    <a href={linkTo(page)} aria-current={isCurrent ? "page" : undefined}>
      <Icon />
      <span class="full">{name}</span>
      <span class="brief">{brief}</span>
      {digit < 10 && (
        <span class="digit" aria-hidden="true">
          {digit}
        </span>
      )}
    </a>
  );
}

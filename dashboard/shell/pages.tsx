/** The pages: their names, their icons, and the right that each needs. */
import type { ComponentType } from "preact";
import type { OwnKey } from "../../protocol/api/keys.ts";
import { hasScope, isOpenEdge } from "../data/self.ts";
import { Overview } from "../pages/overview/overview.tsx";
import {
  AlertsIcon,
  BoxesIcon,
  ChatIcon,
  ConnectIcon,
  KeysIcon,
  ModelsIcon,
  OverviewIcon,
  RequestsIcon,
  SettingsIcon,
  SystemIcon,
  UsageIcon,
} from "../parts/icons.tsx";
import { lazy } from "../parts/lazy.tsx";
import { PAGES, type Page } from "../shape/route.ts";

/** The questions that pages answer: what happens, why it did, and how to use it. */
export const GROUPS = ["Watch", "Understand", "Use", "More"] as const;

type Entry = {
  name: string;
  group: (typeof GROUPS)[number];
  /** A shorter name for narrow screens. */
  brief?: string;
  /** Null: every key may open it. */
  scope: OwnKey["scopes"][number] | null;
  /** The page that lists what this one shows in full. It is not in the navigation itself. */
  within?: Page;
  Icon: ComponentType;
  Page: ComponentType;
};

export const ENTRIES: Record<Page, Entry> = {
  overview: {
    name: "Overview",
    group: "Watch",
    scope: "stats",
    Icon: OverviewIcon,
    Page: Overview,
  },
  requests: {
    name: "Requests",
    group: "Watch",
    scope: "stats",
    Icon: RequestsIcon,
    Page: lazy(async () => (await import("../pages/requests/requests.tsx")).Requests),
  },
  models: {
    name: "Models",
    group: "Watch",
    scope: "stats",
    Icon: ModelsIcon,
    Page: lazy(async () => (await import("../pages/models/models.tsx")).ModelsPage),
  },
  system: {
    name: "GPU & system",
    group: "Understand",
    brief: "GPU",
    scope: "stats",
    Icon: SystemIcon,
    Page: lazy(async () => (await import("../pages/system/system.tsx")).SystemPage),
  },
  usage: {
    name: "Usage & energy",
    brief: "Usage",
    group: "Understand",
    scope: null,
    Icon: UsageIcon,
    Page: lazy(async () => (await import("../pages/usage/usage.tsx")).UsagePage),
  },
  alerts: {
    name: "Alerts & events",
    brief: "Alerts",
    group: "Understand",
    scope: "stats",
    Icon: AlertsIcon,
    Page: lazy(async () => (await import("../pages/alerts/alerts.tsx")).AlertsPage),
  },
  chat: {
    name: "Playground",
    brief: "Chat",
    group: "Use",
    scope: "stats",
    Icon: ChatIcon,
    Page: lazy(async () => (await import("../pages/chat/chat.tsx")).ChatPage),
  },
  boxes: {
    name: "Boxes",
    group: "Watch",
    scope: "stats",
    Icon: BoxesIcon,
    Page: lazy(async () => (await import("../pages/boxes/boxes.tsx")).BoxesPage),
  },
  connect: {
    name: "Connect",
    group: "Use",
    scope: null,
    Icon: ConnectIcon,
    Page: lazy(async () => (await import("../pages/connect/connect.tsx")).ConnectPage),
  },
  keys: {
    name: "Keys",
    group: "Use",
    scope: "admin",
    Icon: KeysIcon,
    Page: lazy(async () => (await import("../pages/keys/keys.tsx")).KeysPage),
  },
  settings: {
    name: "Settings",
    group: "More",
    scope: null,
    Icon: SettingsIcon,
    Page: lazy(async () => (await import("../pages/settings/settings.tsx")).SettingsPage),
  },
  box: {
    name: "Box",
    group: "Watch",
    within: "boxes",
    scope: "stats",
    Icon: BoxesIcon,
    Page: lazy(async () => (await import("../pages/box/box.tsx")).BoxPage),
  },
  model: {
    name: "Model",
    group: "Watch",
    within: "models",
    scope: "stats",
    Icon: ModelsIcon,
    Page: lazy(async () => (await import("../pages/model/model.tsx")).ModelPage),
  },
};

/** Returns the pages that the navigation lists. The page of keys has nothing to do on an open edge. */
export const listedPages = (): Page[] =>
  openPages().filter(
    (page) => ENTRIES[page].within === undefined && !(page === "keys" && isOpenEdge()),
  );

/** Returns the pages that the key of this browser may open. */
export const openPages = (): Page[] =>
  PAGES.filter((page) => {
    const { scope } = ENTRIES[page];
    return scope === null || hasScope(scope);
  });

/** Most visits need no sign-in. */
export const LoginPage = lazy(async () => (await import("./login.tsx")).Login);

/** The dialogs of the frame: most visits open none. */
export const OverlayPage = lazy(async () => (await import("./palette.tsx")).default);

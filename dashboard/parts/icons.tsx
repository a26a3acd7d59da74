/**
 * Line icons on a 20 × 20 grid. They are decorative: the text beside them or the label of their
 * button gives the meaning.
 */
import type { ComponentChildren } from "preact";

const icon = (shape: ComponentChildren) => () => (
  <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
    {shape}
  </svg>
);

export const OverviewIcon = icon(<path d="M3 16V9m4.7 7V4m4.6 12v-5M17 16V7" />);
export const RequestsIcon = icon(<path d="M3 5h14M3 10h9M3 15h12" />);
export const ModelsIcon = icon(
  <path d="m10 2.5 6.5 3.75v7.5L10 17.5l-6.5-3.75v-7.5zM3.6 6.3 10 10l6.4-3.7M10 10v7.3" />,
);
export const SystemIcon = icon(
  <path d="M5.5 5.5h9v9h-9zM8.5 8.5h3v3h-3zM8 2.5v3m4-3v3m-4 9v3m4-3v3M2.5 8h3m-3 4h3m9-4h3m-3 4h3" />,
);
export const ChatIcon = icon(<path d="M3 4h14v9.5H9L5 17v-3.5H3z" />);
export const ImageIcon = icon(
  <path d="M3 4h14v12H3zM3 14l4.5-4.5L12 14m-1.5-1.5L13 10l4 4M7 7.2h.01" />,
);
export const SettingsIcon = icon(<path d="M3 6h7m4 0h3M3 14h3m4 0h7M12 4v4M8 12v4" />);
export const BoxesIcon = icon(
  <path d="M3 4h14v5H3zM3 11h14v5H3zM6 6.5h.01M6 13.5h.01M9 6.5h5m-5 7h5" />,
);
export const ConnectIcon = icon(<path d="m4 6 4 4-4 4M10 14.5h6" />);
export const KeysIcon = icon(
  <path d="M7 7.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM9.6 8.6 16 3m-3 2.6 2.2 2.2m-4.4-.2 1.8 1.8" />,
);
export const AlertsIcon = icon(
  <path d="M10 3a4.5 4.5 0 0 0-4.5 4.5V11L4 13.5h12L14.5 11V7.5A4.5 4.5 0 0 0 10 3zM8.5 16.5h3" />,
);
export const MoreIcon = icon(<path d="M4 5.5h12M4 10h12M4 14.5h12" />);
export const RefreshIcon = icon(<path d="M16 10a6 6 0 1 1-1.8-4.3M16 3v4h-4" />);
export const SunIcon = icon(
  <path
    d="M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z
      M10 2v1.5m0 13V18m8-8h-1.5m-13 0H2m13.7-5.7-1.1 1.1M5.4 14.6l-1.1 1.1m11.4 0-1.1-1.1M5.4 5.4 4.3 4.3"
  />,
);
export const MoonIcon = icon(<path d="M16.5 12A7 7 0 0 1 8 3.5a7 7 0 1 0 8.5 8.5z" />);
export const SystemThemeIcon = icon(<path d="M3 4h14v9H3zM8 17h4m-2-4v4" />);
export const CopyIcon = icon(<path d="M7 7h9v9H7zM13 7V4H4v9h3" />);
export const CheckIcon = icon(<path d="m4 10.5 4 4 8-9" />);
export const StarIcon = icon(
  <path d="m10 3 2.1 4.5 4.9.6-3.6 3.4.9 4.9-4.3-2.4-4.3 2.4.9-4.9L3 8.1l4.9-.6z" />,
);
export const CloseIcon = icon(<path d="m5 5 10 10M15 5 5 15" />);
export const DownloadIcon = icon(<path d="M10 3v9m-4-4 4 4 4-4M4 16h12" />);
export const ChevronIcon = icon(<path d="m7 5 5 5-5 5" />);
export const SearchIcon = icon(
  <path d="M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zm4 9.5 3.5 3.5" />,
);
export const ShareIcon = icon(
  <path d="M8.5 11.5a3.5 3.5 0 0 0 5 0l2.5-2.5a3.5 3.5 0 0 0-5-5l-1 1m1.5 3.5a3.5 3.5 0 0 0-5 0L4 11a3.5 3.5 0 0 0 5 5l1-1" />,
);
export const ClockIcon = icon(<path d="M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zm0 3v4l2.5 2" />);
export const FilterIcon = icon(<path d="M3 5h14M6 10h8m-5 5h2" />);
export const PauseIcon = icon(<path d="M7.5 5v10m5-10v10" />);
export const PlayIcon = icon(<path d="m7 4.5 8 5.5-8 5.5z" />);
export const BookmarkIcon = icon(<path d="M5.5 3.5h9v13L10 13l-4.5 3.5z" />);
export const UsageIcon = icon(<path d="M11 2.5 4.5 11.5H9l-1 6 6.5-9H10z" />);

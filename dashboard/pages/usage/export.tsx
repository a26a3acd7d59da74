/** The table as a file, and the same answer of the API. */
import { apiUrl, type Query } from "../../data/api.ts";
import { download, stamp } from "../../data/download.ts";
import { ErrorText, useSending } from "../../parts/dialog.tsx";
import { DownloadIcon } from "../../parts/icons.tsx";

const FORMATS = ["csv", "ndjson"] as const;

export function UsageExport({ path, query }: { path: string; query: Query }) {
  const { isBusy, error, send } = useSending();
  const { over: _, ...table } = query;
  return (
    <div class="usage-export">
      <ErrorText error={error} />
      <fieldset class="choice">
        <legend class="sr-only">Export</legend>
        {FORMATS.map((format) => (
          <button
            key={format}
            type="button"
            disabled={isBusy}
            aria-label={`Export as ${format.toUpperCase()}`}
            onClick={() =>
              send(() =>
                download(path, { query: { ...table, format } }, `usage-${stamp()}.${format}`),
              )
            }
          >
            <DownloadIcon />
            {format.toUpperCase()}
          </button>
        ))}
      </fieldset>
      <a href={apiUrl(path, {}, query)} target="_blank" rel="noreferrer">
        API
      </a>
    </div>
  );
}

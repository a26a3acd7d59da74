/** Exports every request that matches the filters, not only the current page. */
import { useState } from "preact/hooks";
import { errorMessage, type Query } from "../../data/api.ts";
import { download, stamp } from "../../data/download.ts";
import { DownloadIcon } from "../../parts/icons.tsx";

/** JSON is sent as one document and therefore limited. CSV and NDJSON are streamed. */
const JSON_MAX = 1_000;
const FORMATS = ["csv", "ndjson", "json"] as const;

export function Export({ filterQuery }: { filterQuery: Query }) {
  const [state, setState] = useState<{ busy: string | null; error: string | null }>({
    busy: null,
    error: null,
  });
  const save = async (format: (typeof FORMATS)[number]) => {
    setState({ busy: format, error: null });
    try {
      const query = { ...filterQuery, format, ...(format === "json" && { limit: JSON_MAX }) };
      await download("/api/stats/logs", { query }, `requests-${stamp()}.${format}`);
      setState({ busy: null, error: null });
    } catch (error) {
      setState({ busy: null, error: errorMessage(error) });
    }
  };
  return (
    <fieldset class="choice" aria-label="Export matching requests">
      <legend class="sr-only">Export</legend>
      {state.error !== null && (
        <span class="error-text" role="alert">
          {state.error}
        </span>
      )}
      {FORMATS.map((format) => (
        <button
          key={format}
          type="button"
          disabled={state.busy !== null}
          title={
            format === "json" ? `The newest ${JSON_MAX} as JSON` : `All as ${format.toUpperCase()}`
          }
          aria-label={`Export as ${format.toUpperCase()}`}
          onClick={() => save(format)}
        >
          <DownloadIcon />
          {state.busy === format ? "…" : format.toUpperCase()}
        </button>
      ))}
    </fieldset>
  );
}

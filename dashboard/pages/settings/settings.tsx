/** What this browser shows, how the edge is set, what is stored, and what to copy elsewhere. */
import { useRead } from "../../data/query.ts";
import { FailureNote, Skeleton } from "../../parts/basics.tsx";
import { ThisBrowser } from "./browser.tsx";
import { Configuration } from "./configuration.tsx";
import { Connect } from "./connect.tsx";
import { StoredData } from "./data.tsx";

export function SettingsPage() {
  const { data: config, error, refetch } = useRead("/api/config", {}, 30_000);
  const isAdmin = config?.scopes.includes("admin") ?? false;
  return (
    <div class="settings">
      <ThisBrowser />
      <Connect />
      {config !== null ? (
        <Configuration config={config} isAdmin={isAdmin} changed={refetch} />
      ) : (
        error === null && <Skeleton lines={5} />
      )}
      {error !== null && (
        <FailureNote what="The configuration could not be read." why={error} again={refetch} />
      )}
      <StoredData isAdmin={isAdmin} />
    </div>
  );
}

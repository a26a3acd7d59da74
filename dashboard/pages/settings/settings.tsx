/** Settings: browser preferences, connection details, edge configuration and stored data. */
import { useQuery } from "../../data/query.ts";
import { FailureNote, Skeleton } from "../../parts/basics.tsx";
import { ThisBrowser } from "./browser.tsx";
import { Configuration } from "./configuration.tsx";
import { Connect } from "./connect.tsx";
import { StoredData } from "./data.tsx";
import { TariffSettings } from "./tariff.tsx";

export function SettingsPage() {
  const { data: config, error, refetch } = useQuery("/api/config", {}, 30_000);
  const isAdmin = config?.scopes.includes("admin") ?? false;
  return (
    <div class="settings">
      <ThisBrowser isSignedIn={config?.auth_mode === "keys"} />
      <TariffSettings isAdmin={isAdmin} />
      <Connect />
      {config !== null ? (
        <Configuration config={config} isAdmin={isAdmin} changed={refetch} />
      ) : (
        error === null && <Skeleton lines={5} />
      )}
      {error !== null && (
        <FailureNote title="Could not load the configuration." detail={error} retry={refetch} />
      )}
      <StoredData isAdmin={isAdmin} />
    </div>
  );
}

/** Settings: browser preferences, edge configuration and stored data. */
import { useQuery } from "../../data/query.ts";
import { hasScope, isOpenEdge, self } from "../../data/self.ts";
import { FailureNote, Skeleton } from "../../parts/basics.tsx";
import { ThisBrowser } from "./browser.tsx";
import { Configuration } from "./configuration.tsx";
import { StoredData } from "./data.tsx";
import { TariffSettings } from "./tariff.tsx";

export function SettingsPage() {
  const isSignedIn = self.value !== null && !isOpenEdge();
  return (
    <div class="settings">
      <ThisBrowser isSignedIn={isSignedIn} />
      {hasScope("stats") && <EdgeSettings />}
    </div>
  );
}

function EdgeSettings() {
  const { data: config, error, refetch } = useQuery("/api/config", {}, 30_000);
  const isAdmin = config?.scopes.includes("admin") ?? false;
  return (
    <>
      <TariffSettings isAdmin={isAdmin} />
      {config !== null ? (
        <Configuration config={config} isAdmin={isAdmin} changed={refetch} />
      ) : (
        error === null && <Skeleton lines={5} />
      )}
      {error !== null && (
        <FailureNote title="Could not load the configuration." detail={error} retry={refetch} />
      )}
      <StoredData isAdmin={isAdmin} />
    </>
  );
}

/** Models: where they are, what can be pulled, what they did. */
import { live } from "../../data/live.ts";
import { useRead } from "../../data/query.ts";
import { FailureNote, Skeleton } from "../../parts/basics.tsx";
import { InstalledSection } from "./installed.tsx";
import { LibrarySection } from "./library.tsx";
import { Statistics } from "./statistics.tsx";

export function ModelsPage() {
  const config = useRead("/api/config", {}, null);
  const installed = useRead("/api/ollama/models", {}, 5_000);
  const repository = useRead("/api/models/repository", {}, 10_000);
  const scopes = config.data?.scopes ?? [];
  const boxes = live.value?.value.boxes ?? [];
  const changed = () => {
    installed.refetch();
    repository.refetch();
  };
  return (
    <>
      {installed.error !== null && (
        <FailureNote
          what="The models could not be read."
          why={installed.error}
          again={installed.refetch}
        />
      )}
      {repository.data?.problem && (
        <FailureNote
          what="Favourites and the default are not up to date."
          why={repository.data.problem}
          again={repository.refetch}
        />
      )}
      {installed.data === null ? (
        installed.error === null && <Skeleton lines={5} tall />
      ) : (
        <InstalledSection
          models={installed.data.models}
          repository={repository.data?.models ?? []}
          boxes={boxes}
          isAdmin={scopes.includes("admin")}
          mayInfer={scopes.includes("infer")}
          changed={changed}
        />
      )}
      <Statistics />
      <LibrarySection boxes={boxes} isAdmin={scopes.includes("admin")} changed={changed} />
    </>
  );
}

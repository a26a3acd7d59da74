/** The opened request if the list does not contain it: a link may lead to a request of any age. */
import { useQuery } from "../../data/query.ts";
import { Empty, FailureNote } from "../../parts/basics.tsx";
import { LogList } from "./log-list.tsx";

type Props = { id: string; open: (id: string | null) => void };

export function OpenedRequest({ id, open }: Props) {
  const query = { id, texts: "short" };
  const reading = useQuery("/api/stats/logs", { query }, null);
  const { data, error, refetch } = reading;
  return (
    <div class="opened">
      {error !== null ? (
        <FailureNote title="Could not load the opened request." detail={error} retry={refetch} />
      ) : (
        <LogList
          label="Opened request"
          logs={data?.logs ?? null}
          lines={3}
          isLoading={false}
          opened={id}
          open={open}
        >
          <Empty title="No finished request with this ID is stored">
            <p>
              <code>{id}</code>
            </p>
            <p>
              <button type="button" onClick={refetch}>
                Look again
              </button>{" "}
              <button type="button" onClick={() => open(null)}>
                Close
              </button>
            </p>
          </Empty>
        </LogList>
      )}
    </div>
  );
}

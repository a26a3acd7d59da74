/** Targets of messages about concerns: made, tested and removed by owners. */
import { useSignal } from "@preact/signals";
import { useState } from "preact/hooks";
import type { NotificationTarget } from "../../../protocol/api/notifications.ts";
import { callJson } from "../../data/api.ts";
import { useQuery } from "../../data/query.ts";
import { Ago, Command, FailureNote, Section, TableScroll } from "../../parts/basics.tsx";
import { Confirm, ErrorText, FormActions, Modal, useSending } from "../../parts/dialog.tsx";
import { ActionsHead, RowAction } from "../../parts/row-actions.tsx";
import {
  TARGET_FIELDS,
  type TargetDraft,
  targetBody,
  weeklyOf,
  weeklyText,
} from "../../shape/target-form.ts";

type Opened = { kind: "add" } | { kind: "remove"; target: NotificationTarget };

export function Targets() {
  const { data, error, refetch } = useQuery("/api/notifications", {}, 15_000);
  const opened = useSignal<Opened | null>(null);
  const close = () => {
    opened.value = null;
    refetch();
  };
  const targets = data?.targets ?? [];
  return (
    <Section
      title="Messages"
      aside={
        <button
          type="button"
          class="primary"
          onClick={() => {
            opened.value = { kind: "add" };
          }}
        >
          Add a target
        </button>
      }
    >
      {error !== null && (
        <FailureNote title="Could not load the targets." detail={error} retry={refetch} />
      )}
      {targets.length === 0 ? (
        <p class="quiet">
          Nobody gets a message. Add a webhook, ntfy, Slack, Discord or Telegram to get one when
          something is wrong, and one when it is over.
        </p>
      ) : (
        <TableScroll label="Targets of messages">
          <table>
            <thead>
              <tr>
                {[
                  "Name",
                  "Kind",
                  "To",
                  "From severity",
                  "Weekly summary",
                  "Last sent",
                  "State",
                ].map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
                <ActionsHead />
              </tr>
            </thead>
            <tbody>
              {targets.map((target) => (
                <Row
                  key={target.id}
                  target={target}
                  remove={() => {
                    opened.value = { kind: "remove", target };
                  }}
                  refetch={refetch}
                />
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
      {opened.value?.kind === "add" && <AddTarget onClose={close} />}
      {opened.value?.kind === "remove" && (
        <RemoveTarget target={opened.value.target} onClose={close} />
      )}
    </Section>
  );
}

type RowProps = { target: NotificationTarget; remove: () => void; refetch: () => void };

function Row({ target, remove, refetch }: RowProps) {
  const { id, name, kind, host, severity, weekly, last_sent_at, last_error, waiting } = target;
  const [result, setResult] = useState<string | null>(null);
  const { isBusy, error, send } = useSending();
  const test = () =>
    send(async () => {
      const { delivered, error: reason } = await callJson("POST", "/api/notifications/{id}/test", {
        params: { id },
      });
      setResult(delivered ? "The test arrived" : `The test failed: ${reason}`);
      refetch();
    });
  const changeWeekly = () =>
    send(async () => {
      const body = { weekly: weeklyOf(weekly === null, timeZone()) };
      await callJson("PATCH", "/api/notifications/{id}", { params: { id }, body });
      refetch();
    });
  const state = error ?? result ?? last_error?.message ?? null;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{kind}</td>
      <td>{host}</td>
      <td>{severity}</td>
      <td>
        <button
          type="button"
          class="small"
          aria-pressed={weekly !== null}
          aria-label={`Weekly summary to ${name}`}
          disabled={isBusy}
          onClick={changeWeekly}
        >
          {weeklyText(weekly)}
        </button>
      </td>
      <td>
        <Ago iso={last_sent_at} />
      </td>
      <td role="status">
        {state ?? (waiting > 0 ? `${waiting} waiting` : <span class="quiet">no error</span>)}
      </td>
      <td>
        <span class="row-actions">
          <button
            type="button"
            class="small"
            disabled={isBusy}
            onClick={test}
            aria-label={`Test ${name}`}
          >
            {isBusy ? "Sending…" : "Test"}
          </button>
          <RowAction name="Remove" subject={name} isDangerous act={remove} />
        </span>
      </td>
    </tr>
  );
}

const RemoveTarget = ({ target, onClose }: { target: NotificationTarget; onClose: () => void }) => (
  <Confirm
    title={`Remove ${target.name}`}
    text={`It gets no more messages. ${target.waiting} that wait are not sent.`}
    action="Remove"
    isDangerous
    onConfirm={() => callJson("DELETE", "/api/notifications/{id}", { params: { id: target.id } })}
    onClose={onClose}
  />
);

const EMPTY: TargetDraft = {
  kind: "webhook",
  name: "",
  url: "",
  token: "",
  chatId: "",
  severity: "warning",
  isWeekly: false,
};

const timeZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

function AddTarget({ onClose }: { onClose: () => void }) {
  const [draft, setDraft] = useState(EMPTY);
  const [secret, setSecret] = useState<string | null>(null);
  const { isBusy, error, send } = useSending();
  const set = (changes: Partial<TargetDraft>) => setDraft({ ...draft, ...changes });
  const fields = TARGET_FIELDS[draft.kind];
  return (
    <Modal title="Add a target of messages" onClose={onClose}>
      {(close) =>
        secret !== null ? (
          <>
            <p>
              Messages are signed with this secret, as Standard Webhooks describes. It is shown only
              now.
            </p>
            <Command text={secret} name="secret" />
            <div class="dialog-actions">
              <button type="button" class="primary" onClick={close}>
                Done
              </button>
            </div>
          </>
        ) : (
          <form
            onSubmit={async (event) => {
              event.preventDefault();
              let made: string | null = null;
              const isSent = await send(async () => {
                const body = targetBody(draft, timeZone());
                ({ secret: made } = await callJson("POST", "/api/notifications", { body }));
              });
              if (!isSent) return;
              if (made === null) close();
              else setSecret(made);
            }}
          >
            <label class="field">
              <span>Kind</span>
              <select
                value={draft.kind}
                onChange={({ currentTarget }) =>
                  set({ kind: currentTarget.value as TargetDraft["kind"] })
                }
              >
                {Object.entries(TARGET_FIELDS).map(([kind, { title }]) => (
                  <option key={kind} value={kind}>
                    {title}
                  </option>
                ))}
              </select>
            </label>
            {fields.inputs.map(({ name, label, isRequired, placeholder }) => (
              <label key={name} class="field">
                <span>{label}</span>
                <input
                  required={isRequired}
                  placeholder={placeholder}
                  autocomplete="off"
                  spellcheck={false}
                  value={draft[name]}
                  onInput={({ currentTarget }) => set({ [name]: currentTarget.value })}
                />
              </label>
            ))}
            <label class="field">
              <span>Name, by default its host</span>
              <input
                maxLength={64}
                value={draft.name}
                onInput={({ currentTarget }) => set({ name: currentTarget.value })}
              />
            </label>
            <label class="field">
              <span>Messages about</span>
              <select
                value={draft.severity}
                onChange={({ currentTarget }) =>
                  set({ severity: currentTarget.value as TargetDraft["severity"] })
                }
              >
                <option value="warning">Warnings and critical concerns</option>
                <option value="critical">Critical concerns only</option>
              </select>
            </label>
            <label>
              <input
                type="checkbox"
                checked={draft.isWeekly}
                onChange={({ currentTarget }) => set({ isWeekly: currentTarget.checked })}
              />
              <span>Also a summary of the week, on Monday at 8</span>
            </label>
            <ErrorText error={error} />
            <FormActions close={close} action="Add" busyText="Adding…" isBusy={isBusy} />
          </form>
        )
      }
    </Modal>
  );
}

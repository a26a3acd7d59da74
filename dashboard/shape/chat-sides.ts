/** Two models side by side: their seats, their answers, and the history of each. Pure. */
import type { ChatSide, Message } from "./chat.ts";

/** The model and the box of a side; empty leaves it to the edge. */
export type Seat = { model: string; box: string };

/** Returns the seats that a query of the page names: one or two. */
export function seatsOf(query: Record<string, string>): Seat[] {
  const { model = "", box = "", beside = "", beside_box = "" } = query;
  const first = { model, box };
  return beside === "" ? [first] : [first, { model: beside, box: beside_box }];
}

export const queryOfSeats = ([first, second]: readonly Seat[]): Record<
  string,
  string | undefined
> => ({
  ...first,
  beside: second?.model,
  beside_box: second?.box,
});

/**
 * Returns the seat beside the first: another model, or if there is only one, the same on another box;
 * null if there is nothing to compare with.
 */
export function seatBeside(
  { model, box }: Seat,
  models: readonly string[],
  boxes: readonly string[],
): Seat | null {
  const other = models.find((name) => name !== model);
  // Without a model, the edge chooses one, which may be any of them.
  if (other !== undefined && models.length > 1) return { model: other, box: "" };
  const [only] = models;
  const elsewhere = boxes.find((name) => name !== box);
  return only === undefined || elsewhere === undefined || boxes.length < 2
    ? null
    : { model: only, box: elsewhere };
}

/** A message of the user with its answers, by side. */
export type Turn = { question: Message; answers: Message[] };

export function turnsIn(messages: readonly Message[]): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages)
    if (message.role === "user") turns.push({ question: message, answers: [] });
    else turns.at(-1)?.answers.push(message);
  return turns;
}

/**
 * Returns the history of a side: the messages and its own answers. A message without one has the answer of
 * the other side, so that a model that joins later has the whole conversation.
 */
export const readBy = (messages: readonly Message[], side: ChatSide): Message[] =>
  turnsIn(messages).flatMap(({ question, answers }) => {
    const read = answers.find((answer) => answer.side === side) ?? answers[0];
    return read === undefined ? [question] : [question, read];
  });

/** Returns the state of the last answers as a sentence for people who cannot see them. */
export function announcementOf(messages: readonly Message[]): string {
  const answers = turnsIn(messages).at(-1)?.answers ?? [];
  return answers
    .map(({ model, state }) => {
      const name = model ?? "The model";
      if (state === "streaming") return `${name} is responding.`;
      return state === "done" ? `${name} has responded.` : `${name}: ${state}.`;
    })
    .join(" ");
}

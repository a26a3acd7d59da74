/** The buttons at the end of a row of a table, which open a dialog, and the head of their column. */

export const ActionsHead = () => (
  <th scope="col">
    <span class="sr-only">Actions</span>
  </th>
);

/** @property subject  names the row, for people who cannot see it */
type RowActionProps = { name: string; subject: string; act: () => void; isDangerous?: boolean };

export const RowAction = ({ name, subject, act, isDangerous = false }: RowActionProps) => (
  <button
    type="button"
    class={isDangerous ? "small danger" : "small"}
    aria-label={`${name} ${subject}`}
    onClick={act}
  >
    {name}…
  </button>
);

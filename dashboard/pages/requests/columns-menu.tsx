/** The choice of the columns of the list, kept in this browser. */
import { preferences, setPreferences } from "../../data/preferences.ts";
import { Menu } from "../../parts/menu.tsx";
import {
  COLUMN_NAMES,
  type ColumnName,
  columnOf,
  FIXED_COLUMNS,
} from "../../shape/request-columns.ts";

export function ColumnsMenu() {
  const { columns } = preferences.value;
  const toggle = (name: ColumnName) =>
    setPreferences({
      columns: COLUMN_NAMES.filter((each) => columns.includes(each) !== (each === name)),
    });
  return (
    <Menu title="Columns of the list" button="Columns">
      {() =>
        COLUMN_NAMES.filter((name) => !FIXED_COLUMNS.includes(name)).map((name) => (
          <label key={name} class="check">
            <input type="checkbox" checked={columns.includes(name)} onChange={() => toggle(name)} />
            {columnOf(name).about ?? columnOf(name).title}
          </label>
        ))
      }
    </Menu>
  );
}

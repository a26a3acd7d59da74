/** The warning about keys on an open edge, in the answer that makes one and on the page, which loads no zod. */
export const OPEN_EDGE_TEXT =
  "This edge is open (AUTH_MODE=open): it checks no key, so a key restricts nothing and its limits count nothing. " +
  "Start it with AUTH_MODE=keys and an ADMIN_KEY to have keys checked.";

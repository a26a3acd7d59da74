/** Recognises the id of a request in a typed text. Pure. */
const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const isRequestId = (text: string): boolean => REQUEST_ID.test(text);

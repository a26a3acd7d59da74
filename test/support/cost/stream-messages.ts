/**
 * Messages of an agent to its Box for each streamed answer of 300 tokens at 33 ms, by the number of
 * streams that are open at once. The counting of costs takes them from here, and a test of the agent
 * checks them.
 */
export const STREAM_MESSAGES = { 1: 46, 4: 16.5, 16: 5.75, 64: 3 } as const;

export const CALLERS = [1, 4, 16, 64] as const satisfies (keyof typeof STREAM_MESSAGES)[];
export const TOKENS = 300;
export const TOKEN_MS = 33;

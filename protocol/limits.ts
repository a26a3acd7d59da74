/**
 * Every limit that the worker and the agent must agree on, with its unit in its
 * name and its reason beside it. What happens at a limit is said here too.
 */

/** Bumped when an old agent could no longer talk to a new worker. */
export const PROTOCOL_VERSION = 1;

/** WebSocket subprotocol: a version mismatch is refused at the upgrade (426), before any frame. */
export const SUBPROTOCOL = `ollama-edge.v${PROTOCOL_VERSION}`;

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * How much one direction of a stream may have sent and not yet acknowledged.
 * It bounds what an end must keep for a resume and what a slow caller can hold,
 * so it is the memory price of a stream. A sender at the limit stops reading its source.
 */
export const WINDOW_BYTES = 256 * KIB;

/**
 * A receiver acknowledges after this much was consumed: four acknowledgements a window keep the
 * sender busy.
 */
export const ACK_EVERY_BYTES = WINDOW_BYTES / 4;

/** Largest payload of one DATA frame. Bigger reads are split, so that streams interleave. */
export const DATA_BYTES_MAX = 64 * KIB;

/** Largest payload of any frame. A larger one closes the tunnel with 1002. */
export const FRAME_BYTES_MAX = 1 * MIB;

/** A sender starts a new message before this size. Cloudflare closes a socket (1009) at 32 MiB. */
export const MESSAGE_BYTES_MAX = 1 * MIB + 64 * KIB;

/**
 * Largest JSON request body. The worker parses it whole, in 128 MB of memory shared by all calls.
 * 413 beyond.
 */
export const BODY_BYTES_MAX = 16 * MIB;

/** Largest request head (path and headers) forwarded to a box. 431 beyond. */
export const HEAD_BYTES_MAX = 64 * KIB;

/** Open streams per box. 503 with Retry-After beyond. */
export const STREAMS_PER_BOX_MAX = 10_000;

/** The agent says "ping" this often; the platform answers without waking the Box. */
export const HEARTBEAT_MS = 1_000;

/**
 * A tunnel on which nothing arrived for this long is dead, whatever the socket says: two missed
 * heartbeats and some slack.
 */
export const SILENCE_MS = 2_250;

/**
 * A link that swallows packets is noticed within this long by the agent, and by the edge while
 * somebody waits.
 */
export const NOTICE_MS = 3_000;

/**
 * How long both ends keep a stream while the tunnel is away. Then it ends with an error in its own
 * format.
 */
export const GRACE_MS = 30_000;

/**
 * A new call waits this long for a box whose agent was lost a moment ago: a cut path is back within
 * a fraction of it, an agent that its service manager starts again within it. Then it is told that
 * the box is down.
 */
export const RECONNECT_MS = 3_000;

/**
 * After the first bytes of a stream, later ones of all streams of a box share one message per this
 * interval.
 */
export const FLUSH_MS = 50;

/** Stored prompt text, UTF-16 code units. Cut beyond, and marked as cut. */
export const PROMPT_CHARS_MAX = 10_000;

/** Stored response text, UTF-16 code units. Cut beyond, and marked as cut. */
export const RESPONSE_CHARS_MAX = 50_000;

/** Error text kept in a record or sent to a caller, UTF-16 code units. */
export const ERROR_CHARS_MAX = 2_000;

/** Records in one RECORDS frame. */
export const RECORDS_PER_BATCH = 200;

/** While somebody looks, an agent sends readings this often. */
export const READINGS_WATCHED_MS = 2_000;

/**
 * While nobody looks: each message and the row it writes are billed, and an idle box must cost next
 * to nothing.
 */
export const READINGS_IDLE_MS = 150_000;

/** How long one LOOK keeps the agent at the quick pace. */
export const WATCHED_FOR_MS = 30_000;

/**
 * The history of a box has one sample of its machine, and one of each of its GPUs, this often: a
 * day of eight GPUs is then 78,000 samples, which one read of a day goes through in about a second.
 */
export const SAMPLE_EVERY_MS = 10_000;

/**
 * Samples of the machine that an agent keeps while the tunnel is away: an hour's, a tenth of a
 * frame. The oldest go first.
 */
export const SYSTEM_SAMPLES_MAX = 360;

/**
 * Open requests that readings list: what a page can show, 50 KB at most. The oldest, since one of
 * those is the one that hangs.
 */
export const OPEN_REQUESTS_MAX = 100;

/** Names of boxes: what fits in a header, a label and a file name without quoting. */
export const BOX_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

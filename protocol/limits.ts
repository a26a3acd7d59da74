/**
 * Every limit that the worker and the agent must agree on, with its unit in its name, and its
 * reason and consequence beside it.
 */

/** Raised by a change that an older agent or worker cannot handle. */
export const PROTOCOL_VERSION = 1;

/** WebSocket subprotocol. Another version is refused at the upgrade (426), before any frame. */
export const SUBPROTOCOL = `ollama-edge.v${PROTOCOL_VERSION}`;

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Bytes that one direction of a stream may have sent and not yet acknowledged. Bounds the bytes
 * that an end keeps for a resume and that a slow caller can hold up, so it is the memory price of a
 * stream. A sender at the limit stops reading its source.
 */
export const WINDOW_BYTES = 256 * KIB;

/**
 * A receiver acknowledges after consuming this much. Four acknowledgements per window keep the
 * sender busy.
 */
export const ACK_EVERY_BYTES = WINDOW_BYTES / 4;

/** Largest payload of a DATA frame. Larger reads are split, so that streams interleave. */
export const DATA_BYTES_MAX = 64 * KIB;

/** Largest payload of any frame. A larger one closes the tunnel with 1002. */
export const FRAME_BYTES_MAX = 1 * MIB;

/** A sender starts a new message before this size. Cloudflare closes a socket (1009) at 32 MiB. */
export const MESSAGE_BYTES_MAX = 1 * MIB + 64 * KIB;

/**
 * Largest JSON request body; 413 beyond. Room for several photos, as Ollama accepts them. The
 * worker holds it whole, in 128 MB of memory shared by all calls.
 */
export const BODY_BYTES_MAX = 40 * MIB;

/**
 * Largest JSON body of our own API; 413 beyond. It is built as a tree, which takes up to eight
 * times its size if its text has characters beyond Latin-1.
 */
export const API_BODY_BYTES_MAX = 8 * MIB;

/** Values at all levels of a JSON body of our own API. Each one of a tree takes up to 100 bytes. */
export const API_BODY_VALUES_MAX = 100_000;

/**
 * Levels of arrays and objects in a JSON body, its own object included. Tool schemas need about 20.
 */
export const JSON_DEPTH_MAX = 64;

/**
 * Arrays and objects in a JSON body. Bounds what any reader of it has to build; long arrays of
 * numbers (`context`, token inputs) count once.
 */
export const JSON_CONTAINERS_MAX = 100_000;

/**
 * Keys, in the objects of a JSON body that are read, that repeat a field or are written with escapes
 * or beyond ASCII. Each costs as much as fifty other bytes; real programs write none.
 */
export const JSON_ODD_KEYS_MAX = 10_000;

/** Largest request head (path and headers) forwarded to a box; 431 beyond. */
export const HEAD_BYTES_MAX = 64 * KIB;

/** Open streams of a box; 503 with Retry-After beyond. */
export const STREAMS_PER_BOX_MAX = 10_000;

/**
 * As many requests wait at most for the Ollama of a box: Ollama's own limit (`OLLAMA_MAX_QUEUE`).
 */
export const QUEUED_MAX = 512;

/** The bodies of requests that wait take at most this much memory of an agent. */
export const QUEUED_BYTES_MAX = 256 * 1024 * 1024;

/**
 * An agent reports a wait for Ollama once it has lasted this long. The caller's answer then begins,
 * and its status can no longer be an error's. So an agent first gives up on an Ollama that does not
 * come back (10 s), and a proxy is far from giving up (100 s).
 */
export const WAIT_REPORTED_MS = 12_000;
/** Status of an answer that begins before Ollama's: the edge sends it, and the agent records it. */
export const EARLY_STATUS = 200;

/**
 * Longest silence of a streamed answer whose caller waits. Common proxies close a connection after
 * 60 s of silence or more, so it gets a sign of life before.
 */
export const EVENT_SILENCE_MS = 15_000;

/** Shortest time between two reports of a wait. Each costs the edge a message. */
export const WAIT_REPORT_EVERY_MS = 5_000;

/** Interval of the agent's `ping`. The platform answers it without waking the Box. */
export const HEARTBEAT_MS = 1_000;

/**
 * A tunnel on which nothing arrived for this long is dead, even if its socket is open: two missed
 * heartbeats and some slack.
 */
export const SILENCE_MS = 2_250;

/**
 * A link that swallows packets is noticed within this long: by the agent at any time, by the edge
 * while a caller waits.
 */
export const NOTICE_MS = 3_000;

/**
 * How long both ends keep a stream while the tunnel is away. Then it ends with an error in its own
 * format.
 */
export const GRACE_MS = 30_000;

/**
 * A new call waits this long for a box whose agent drains or was lost a moment ago, if no other box
 * can serve it, and then fails. A cut path is back within a fraction of this.
 */
export const RECONNECT_MS = 3_000;

/**
 * The same for the only box that has the model. A service manager restarts an agent within this, and
 * a caller would have to wait anyway.
 */
export const ONLY_HOLDER_MS = 10_000;

/**
 * A call whose boxes fail before its answer begins is tried on this many at most. A call that
 * breaks every Ollama must not take the whole fleet down.
 */
export const ATTEMPTS_MAX = 3;

/**
 * A request of the edge for its boxes that has no answer by then may never have one: the call that sent
 * it may be gone, or the Aggregator may hang. Until there is an answer, what was known serves.
 */
export const FLEET_ANSWER_MS = 1_000;

/** A move is noted within this, once the next box has the request. */
const NOTED_MS = 1_500;

/**
 * An agent keeps the record of a failed request for this long if the request may have moved to
 * another box: by then the edge has noted the move, and the record does not count. The edge notes it
 * once that box has the request: it may ask for its boxes again, and wait for the agent of one.
 */
export const WITHHELD_MS = FLEET_ANSWER_MS + RECONNECT_MS + NOTED_MS;

/**
 * An agent that has lost its tunnel ends the requests that another box can serve and whose answer the
 * edge does not have: once nothing has arrived for this long, or for a second more.
 */
export const YIELD_MS = 2_000;

/**
 * The edge moves such a request this long after its Box has lost the agent. Both notice a loss at the same
 * time, so the agent has ended the request by then, with a second to spare.
 */
export const MOVE_LOST_MS = YIELD_MS + 2_000;

/** As {@link WITHHELD_MS}, for a request that an agent has ended because it lost its tunnel. */
export const WITHHELD_LOST_MS = MOVE_LOST_MS + WITHHELD_MS;

/** A record that an agent no longer keeps back is in the ledger within this, while its tunnel is up. */
const DELIVERED_MS = 1_500;

/**
 * Head start of an agent for the record of a request that the edge may have to record too. Records leave an
 * agent in their order, so this one may wait behind the one that is kept back the longest.
 */
export const AGENT_FIRST_MS = WITHHELD_LOST_MS + DELIVERED_MS;

/** Stored prompt text, in UTF-16 code units. Longer text is cut and marked. */
export const PROMPT_CHARS_MAX = 10_000;

/** Stored response text, in UTF-16 code units. Longer text is cut and marked. */
export const RESPONSE_CHARS_MAX = 50_000;

/** Error text in a record or an answer, in UTF-16 code units. */
export const ERROR_CHARS_MAX = 2_000;

/** Requests of a model that Ollama works on at once, unless `OLLAMA_NUM_PARALLEL` changes it. */
export const SLOTS_DEFAULT = 1;

/** Context length of a request to load a model, in tokens. Far above that of any model. */
export const CONTEXT_LENGTH_MAX = 100_000_000;

/** Records in one RECORDS frame. */
export const RECORDS_PER_BATCH = 200;

/** Interval of readings while somebody is watching. */
export const READINGS_WATCHED_MS = 2_000;

/**
 * Interval of readings while nobody is watching. Each message and the row that it writes are
 * billed, and an idle box must cost next to nothing.
 */
export const READINGS_IDLE_MS = 150_000;

/** Interval of readings while nobody is watching and requests wait: a scrape shows the queue. */
export const READINGS_QUEUED_MS = 30_000;

/** How long one WATCH keeps the agent at the quick pace. */
export const WATCHED_FOR_MS = 30_000;

/**
 * Interval of the stored samples of a machine and of each of its GPUs. A day of eight GPUs is then
 * 78,000 samples, which one query reads in about a second.
 */
export const SAMPLE_EVERY_MS = 10_000;

/**
 * Samples of the machine that an agent keeps while the tunnel is away: an hour of them, a tenth of
 * a frame. The oldest are dropped first.
 */
export const SYSTEM_SAMPLES_MAX = 360;

/**
 * Open requests that readings list, the oldest first: one of those is the one that hangs. As many
 * as a page can show, at most 50 KB.
 */
export const OPEN_REQUESTS_MAX = 100;

/** One entry of Ollama's lists of models, in UTF-16 code units. They have some 500. */
export const LISTED_CHARS_MAX = 4_096;

/** All such entries in the readings of a box: a quarter of a frame, and those of 500 models. */
export const LISTED_CHARS_PER_BOX = FRAME_BYTES_MAX / 4;

/** Names of boxes: they fit into a header, a label and a file name without quoting. */
export const BOX_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** The Node that tests run the built agent under: `AGENT_NODE` for one that a box may have, otherwise the project's. */
export const BOX_NODE = process.env.AGENT_NODE ?? process.execPath;

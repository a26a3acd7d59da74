/** The agent's version; equal to package.json's, which a test asserts. */
export const AGENT_VERSION = "0.1.0";

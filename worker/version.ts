/** The Worker's version. A test asserts that it equals package.json's. */
export const VERSION = "0.1.0";

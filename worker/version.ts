/** The worker's version; equal to package.json's, which a test asserts. */
export const VERSION = "0.1.0";

/** The addresses that a browser goes to in order to sign in at the identity provider. */

/** Redirects to the provider. */
export const SIGN_IN_PATH = "/sign-in";

/** The provider sends the browser back to it. People register it there. */
export const SIGN_IN_RETURN_PATH = "/sign-in/return";

/** The parameter of the page's address that has the code of a failed sign-in. */
export const SIGN_IN_FAILED = "sign-in";

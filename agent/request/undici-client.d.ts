/** The client alone: the whole package would double the size of the agent. */
declare module "undici/lib/dispatcher/client.js" {
  export { Client as default } from "undici";
}

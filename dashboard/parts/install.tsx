/** The command that installs the agent and connects a box. */
import { Command } from "./basics.tsx";

export const InstallAgent = () => (
  <>
    <p class="quiet">
      Run this as root on the machine with the GPU. Replace the dots with the box's secret.
    </p>
    <Command
      name="the agent's install command"
      text={`curl -fsSLo install.sh ${location.origin}/agent/install.sh\nEDGE_URL=${location.origin} BOX_NAME=home BOX_SECRET=… sh install.sh`}
    />
  </>
);

/** The empty state of an edge without boxes. */
export const NoBox = () => (
  <div class="empty first-box">
    <p class="empty-title">No boxes have connected yet</p>
    <InstallAgent />
  </div>
);

/** How a box is connected: what its owner pastes into a terminal there. */
import { Command } from "./basics.tsx";

export const InstallAgent = () => (
  <>
    <p class="quiet">
      Run this on the machine with the GPU, as root, with the secret of the box in place of the
      dots.
    </p>
    <Command
      name="the agent's install command"
      text={`curl -fsSLo install.sh ${location.origin}/agent/install.sh\nEDGE_URL=${location.origin} BOX_NAME=home BOX_SECRET=… sh install.sh`}
    />
  </>
);

/** Where boxes would be shown. */
export const NoBox = () => (
  <div class="empty first-box">
    <p class="empty-title">No box has connected yet</p>
    <InstallAgent />
  </div>
);

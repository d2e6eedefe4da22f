// What moves for a while, frame by frame.

import { eased } from "./interpolation.js";

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

const nextFrame = () => new Promise(requestAnimationFrame);

// Calls draw(share of the way) frame after frame, with 1 at last, for as long as isCurrent() holds;
// with no milliseconds once, at once. A slow draw makes for fewer frames, not for a longer time.
export async function animate(milliseconds, draw, isCurrent = () => true) {
  const start = performance.now();
  for (let u = 0; u < 1 && isCurrent(); ) {
    if (milliseconds) await nextFrame();
    u = milliseconds ? Math.min(1, (performance.now() - start) / milliseconds) : 1;
    if (isCurrent()) await draw(eased(u));
  }
}

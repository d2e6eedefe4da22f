// A picture at a step of the player, by what it has: Plotly's frames, or places of the items.

import { animate } from "../../shared/animation.js";
import { mixCoordinates } from "../../shared/interpolation.js";
import { itemsIndex } from "./traces.js";

export class Steps {
  constructor(picture) {
    this.picture = picture;
    this.drifting = null; // the drift that is going on; a newer one takes its place
  }

  stop() {
    this.drifting = null;
  }

  async show(step, milliseconds) {
    const { spec } = this.picture;
    try {
      if (spec?.steps?.length) await this.drift(spec.steps[step], milliseconds);
      else if (!spec?.figure.frames?.length) return;
      else if (spec.figure.layout.scene) await this.setFrame(spec.figure.frames[step]);
      else await this.animateFrame(step, milliseconds);
    } catch {
      // a newer step interrupts an older one, which Plotly tells of as of an error
    }
  }

  animateFrame(step, milliseconds) {
    return window.Plotly.animate(this.picture.plot, [String(step)], {
      mode: "immediate",
      transition: { duration: milliseconds, easing: "linear" },
      frame: { duration: milliseconds, redraw: false },
    });
  }

  // In three dimensions Plotly animates nothing: the step's coordinates are set at once.
  async setFrame(frame) {
    if (!frame) return;
    const columns = ["x", "y", "z"].map((axis) => [
      axis,
      frame.data.map((trace) => trace[axis] ?? []),
    ]);
    await window.Plotly.restyle(this.picture.plot, Object.fromEntries(columns), frame.traces);
  }

  // The background on its way to where it stands at the step.
  drift(goal, milliseconds) {
    const { plot, spec } = this.picture;
    const items = itemsIndex(spec);
    const { x, y } = plot.data[items];
    const run = Symbol("drift");
    this.drifting = run;
    const draw = (share) => {
      const columns = [mixCoordinates(x, goal.x, share), mixCoordinates(y, goal.y, share)];
      return window.Plotly.restyle(plot, { x: [columns[0]], y: [columns[1]] }, [items]);
    };
    return animate(milliseconds, draw, () => this.drifting === run);
  }
}

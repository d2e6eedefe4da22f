// The lasso: items taken together, in every picture of their space.

import { isLinkable, itemsIndex } from "./traces.js";

export class Lasso {
  constructor(picture) {
    this.picture = picture;
  }

  // While it is drawn, Plotly forgets the outline of another picture's lasso, and tells of it as of
  // a new one.
  listen() {
    const { picture } = this;
    picture.plot.on("plotly_selected", (event) => {
      if (!event || picture.isDrawing) return;
      const items = itemsIndex(picture.spec);
      const taken = event.points.filter(({ curveNumber }) => curveNumber === items);
      this.take(taken.map(({ pointNumber }) => pointNumber));
    });
    picture.plot.on("plotly_deselect", () => {
      if (!picture.isDrawing) this.take([]);
    });
  }

  take(rows) {
    const { stage } = this.picture;
    stage.selected = rows.length ? rows : null;
    for (const { lasso } of this.picture.linked()) lasso.mark(stage.selected);
    stage.answers?.lasso?.(rows);
  }

  mark(rows) {
    const { plot, spec } = this.picture;
    if (!isLinkable(spec)) return;
    window.Plotly.restyle(plot, { selectedpoints: [rows] }, [itemsIndex(spec)]);
  }
}

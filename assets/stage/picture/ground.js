// A click where no item is, or with Alt held anywhere: it names a place of the picture. Plotly
// tells of clicks on points alone, and tells after the mouse is up.

const DOUBLE_CLICK_MS = 260; // a second click within it is a double click: the whole picture
const STILL_PX = 4; // a mouse that moves further drags

export class Ground {
  constructor(picture) {
    this.picture = picture;
    this.isItemPicked = false; // by the click that is going on
    this.isAlone = false; // Alt is held: the place is meant, whatever item lies there
    this.press = null;
    this.waiting = null;
  }

  listen() {
    const { plot } = this.picture;
    plot.addEventListener("pointerdown", (event) => this.down(event), true);
    plot.on("plotly_doubleclick", () => clearTimeout(this.waiting));
  }

  down(event) {
    const { spec } = this.picture;
    this.isItemPicked = false;
    this.isAlone = Boolean(spec?.ground) && event.altKey;
    this.press?.abort(); // a press whose release was never noticed
    if (!spec?.ground || event.button !== 0 || !event.target.closest(".nsewdrag")) return;
    const press = new AbortController();
    this.press = press;
    const isAside = ({ clientX, clientY }) =>
      Math.hypot(clientX - event.clientX, clientY - event.clientY) >= STILL_PX;
    const moved = (move) => {
      if (isAside(move)) press.abort(); // a lasso may end where it began
    };
    const released = (up) => {
      press.abort();
      if (!isAside(up)) this.clicked(up);
    };
    window.addEventListener("pointermove", moved, { signal: press.signal });
    window.addEventListener("pointerup", released, { signal: press.signal });
  }

  clicked({ detail, clientX, clientY }) {
    clearTimeout(this.waiting);
    if (detail > 1) return;
    this.waiting = setTimeout(() => {
      const isFree = !this.isItemPicked && this.picture.hover.hidden;
      if (this.isAlone || isFree) this.tell(clientX, clientY);
      this.isAlone = false;
    }, DOUBLE_CLICK_MS);
  }

  tell(left, top) {
    const { plot, stage } = this.picture;
    const { xaxis, yaxis, _size: size } = plot._fullLayout ?? {};
    if (!xaxis?.p2l || !size) return;
    const frame = plot.getBoundingClientRect();
    const x = xaxis.p2l(left - frame.left - size.l);
    const y = yaxis.p2l(top - frame.top - size.t);
    stage.answers?.ground?.({ x, y, picture: stage.pictures.indexOf(this.picture) });
  }

  close() {
    this.press?.abort();
    clearTimeout(this.waiting);
  }
}

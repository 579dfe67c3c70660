/* Drawing zones and lines, and moving their corners: with a mouse, by touch, or with the keyboard. */

import {get, later, setText} from "./elements.js";
import {announce, attempt} from "./messages.js";
import {distance} from "./shapes.js";
import {on, state, tell} from "./state.js";
import {ZoneLayer, cornersOf} from "./zone_layer.js";

const CLOSE_PIXELS = 14;
const DRAG_PIXELS = 8;
const HINTS = {
  zone: "Click the corners of the zone on a view. The first one again, or Enter, closes it; a drag is a rectangle.",
  line: "Click where the line begins and where it ends, or drag. The arrow shows forward.",
  closed: "Drag corners to move them; between two corners drags a new one out. Then save.",
};

/**
 * Holds the draft: `{kind, camera, points, closed, original, cursor, chosen, cross}`.
 *
 * `camera` is `undefined` until the first corner says on which view it is drawn; `points` are in its coordinates;
 * `original` is the name of the saved place that it changes; `cursor` is where the next corner would be; `cross` is the
 * keyboard's cross.
 */
export class ZoneEditor {
  constructor(save) {
    this.save = save;
    this.draft = null;
    this.layers = [];
    this.drag = null;
    const putSoon = later(400, () => this.putNames());
    on("surfaces", tiles => this.take(tiles));
    on("zones", () => this.render());
    on("counts", () => {
      if (!this.drag) this.render();
    });
    on("frame", putSoon);
    get("draw-cancel").addEventListener("click", () => this.cancel());
    get("draw-form").addEventListener("submit", event => {
      event.preventDefault();
      this.finish();
    });
    document.addEventListener("keydown", event => this.key(event));
  }

  take(tiles) {
    this.layers = tiles.map(tile => tile.zoneLayer ?? this.attach(tile));
    this.render();
  }

  attach(tile) {
    const layer = (tile.zoneLayer = new ZoneLayer(tile)),
      svg = tile.surface.zones;
    tile.ondrawn = () => layer.render(this.draft);
    svg.addEventListener("pointerdown", event => this.down(event, tile.surface));
    svg.addEventListener("pointermove", event => this.move(event, tile.surface));
    svg.addEventListener("pointerup", event => this.up(event, tile.surface));
    svg.addEventListener("pointercancel", () => {
      this.drag = null;
      this.render();
    });
    svg.addEventListener("focusin", event => this.focus(event, tile.surface));
    svg.addEventListener("keydown", event => this.keyOnSurface(event, tile.surface));
    return layer;
  }

  /* beginning and ending */

  begin(kind) {
    this.draft = {kind, camera: undefined, points: [], closed: false, original: null};
    get("draw-name").value = "";
    this.shown();
  }

  edit(kind, place) {
    this.draft = {
      kind,
      camera: place.camera ?? null,
      points: cornersOf(place).map(point => [...point]),
      closed: true,
      original: place.name,
    };
    get("draw-name").value = place.name;
    this.shown();
  }

  cancel() {
    if (!this.draft) return;
    this.draft = null;
    this.drag = null;
    this.shown();
    tell("drawing-ended");
  }

  async finish() {
    const {draft} = this;
    if (!draft?.closed) return;
    const name = get("draw-name").value.trim();
    if (!name) {
      announce("Give it a name.", {bad: true});
      get("draw-name").focus();
      return;
    }
    const place =
      draft.kind === "zone"
        ? {name, camera: draft.camera, polygon: draft.points}
        : {name, camera: draft.camera, from: draft.points[0], to: draft.points[1]};
    get("draw-save").disabled = true;
    const saved = await attempt(() => this.save(draft.kind, place, draft.original));
    get("draw-save").disabled = false;
    if (!saved || this.draft !== draft) return;
    this.draft = null;
    this.shown();
    announce(`Saved ${name}.`);
    tell("drawing-ended");
  }

  close() {
    this.draft.closed = true;
    this.draft.cursor = null;
    this.draft.cross = null;
    if (!get("draw-name").value) get("draw-name").value = this.freeName();
    this.shown();
    get("draw-name").focus({preventScroll: true});
    get("draw-name").select();
  }

  freeName() {
    const taken = new Set([...state.zones.zones, ...state.zones.lines].map(place => place.name));
    const word = this.draft.kind === "zone" ? "Zone" : "Line";
    for (let number = 1; ; number += 1) if (!taken.has(`${word} ${number}`)) return `${word} ${number}`;
  }

  shown() {
    const {draft} = this;
    document.body.classList.toggle("drawing", draft !== null);
    get("drawbar").hidden = draft === null;
    get("draw-form").classList.toggle("open", Boolean(draft?.closed));
    get("draw-name").disabled = get("draw-save").disabled = !draft?.closed;
    if (draft) setText(get("draw-hint"), HINTS[draft.closed ? "closed" : draft.kind]);
    for (const {surface} of this.layers) {
      if (draft && !draft.closed) {
        surface.zones.setAttribute("tabindex", "0");
        surface.zones.setAttribute("role", "application");
        surface.zones.setAttribute(
          "aria-label",
          `Drawing on ${surface.label}: arrow keys move the cross, Enter sets a corner`,
        );
        surface.zones.removeAttribute("aria-hidden");
      } else {
        for (const name of ["tabindex", "role", "aria-label"]) surface.zones.removeAttribute(name);
        if (draft) surface.zones.removeAttribute("aria-hidden");
        else surface.zones.setAttribute("aria-hidden", "true");
      }
    }
    this.render();
  }

  render() {
    for (const layer of this.layers) layer.render(this.draft);
  }

  putNames() {
    for (const layer of this.layers) layer.put();
  }

  /* pointers */

  at(event, surface) {
    const box = surface.zones.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event, surface) {
    const {draft} = this;
    if (!draft || event.button) return;
    if (draft.closed ? draft.camera !== surface.camera : draft.points.length && draft.camera !== surface.camera) return;
    const at = this.at(event, surface),
      grip = event.target.closest(".handle");
    this.drag = {at, moved: false, last: surface.unplace(at)};
    surface.zones.setPointerCapture(event.pointerId);
    if (!draft.closed) return;
    event.preventDefault();
    if (grip) {
      let index = Number(grip.dataset.index);
      if (grip.dataset.kind === "between") {
        index += 1;
        draft.points.splice(index, 0, surface.unplace(at));
      }
      draft.chosen = this.drag.corner = index;
      this.render();
    } else if (event.target.closest(".draft")) this.drag.whole = draft.points.map(point => surface.place(point));
    else this.drag = null;
  }

  move(event, surface) {
    const {draft, drag} = this;
    if (!draft) return;
    const at = this.at(event, surface),
      point = surface.unplace(at);
    if (drag && distance(drag.at, at) > DRAG_PIXELS) drag.moved = true;
    if (draft.closed) {
      if (!drag) return;
      if (drag.corner !== undefined) draft.points[drag.corner] = point;
      else if (drag.whole) {
        draft.points = drag.whole.map(([x, y]) => surface.unplace([x + at[0] - drag.at[0], y + at[1] - drag.at[1]]));
      }
    } else if (drag?.shape || (drag?.moved && !draft.points.length)) this.dragShape(surface, at);
    else if (draft.points.length && draft.camera === surface.camera) draft.cursor = point;
    else return;
    this.layers.find(layer => layer.surface === surface).render(draft);
  }

  /** A rectangle, or a line, from where the pointer went down to where it is. */
  dragShape(surface, at) {
    const {draft, drag} = this,
      [x1, y1] = drag.at,
      [x2, y2] = at;
    const corners =
      draft.kind === "zone"
        ? [
            [x1, y1],
            [x2, y1],
            [x2, y2],
            [x1, y2],
          ]
        : [
            [x1, y1],
            [x2, y2],
          ];
    drag.shape = true;
    draft.camera = surface.camera;
    draft.points = corners.map(point => surface.unplace(point));
    draft.cursor = null;
  }

  up(event, surface) {
    const {draft, drag} = this;
    this.drag = null;
    if (!draft || !drag) return;
    if (draft.closed) {
      this.render();
      return;
    }
    if (drag.shape) {
      this.close();
      return;
    }
    this.add(this.at(event, surface), surface);
  }

  /** Set a corner, or close the shape where it is complete. */
  add(at, surface) {
    const {draft} = this;
    if (draft.points.length && draft.camera !== surface.camera) return;
    draft.camera = surface.camera;
    const pixels = draft.points.map(point => surface.place(point));
    const onFirst = pixels.length > 0 && distance(pixels[0], at) < CLOSE_PIXELS;
    const onLast = pixels.length > 0 && distance(pixels.at(-1), at) < 4;
    if (draft.kind === "zone" && pixels.length >= 3 && (onFirst || onLast)) {
      this.close();
      return;
    }
    if (onLast || (draft.kind === "line" && onFirst)) return;
    draft.points.push(surface.unplace(at));
    if (draft.kind === "line" && draft.points.length === 2) {
      this.close();
      return;
    }
    this.render();
  }

  /* the keyboard */

  focus(event, surface) {
    const {draft} = this;
    if (!draft) return;
    const grip = event.target.closest?.(".handle.corner");
    if (draft.closed && grip) draft.chosen = Number(grip.dataset.index);
    else if (!draft.closed && event.target === surface.zones && surface.zones.matches(":focus-visible")) {
      draft.cross = {
        surface,
        at: draft.cross?.surface === surface ? draft.cross.at : surface.size.map(value => value / 2),
      };
      this.render();
    }
  }

  keyOnSurface(event, surface) {
    const {draft} = this;
    if (!draft) return;
    const length = event.shiftKey ? 10 : 2;
    const way = {ArrowLeft: [-length, 0], ArrowRight: [length, 0], ArrowUp: [0, -length], ArrowDown: [0, length]}[
      event.key
    ];
    if (draft.closed) {
      const grip = event.target.closest(".handle.corner");
      if (!grip) return;
      const index = Number(grip.dataset.index);
      if (way) {
        const [x, y] = surface.place(draft.points[index]);
        draft.points[index] = surface.unplace([x + way[0], y + way[1]]);
      } else if (["Delete", "Backspace"].includes(event.key) && draft.kind === "zone" && draft.points.length > 3) {
        draft.points.splice(index, 1);
      } else return;
      this.render();
      surface.zones.querySelectorAll(".handle.corner")[Math.min(index, draft.points.length - 1)]?.focus();
    } else if (draft.cross?.surface === surface) {
      if (way)
        draft.cross.at = draft.cross.at.map((value, axis) =>
          Math.min(Math.max(value + way[axis], 0), surface.size[axis]),
        );
      else if (event.key === "Enter") this.add(draft.cross.at, surface);
      else return;
      if (this.draft && !draft.closed && draft.cross) draft.cursor = surface.unplace(draft.cross.at);
      this.render();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  key(event) {
    const {draft} = this;
    if (!draft || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") this.cancel();
    else if (
      event.key === "Enter" &&
      draft.kind === "zone" &&
      !draft.closed &&
      draft.points.length >= 3 &&
      !event.target.closest("button, a, input")
    )
      this.close();
    else if (event.key === "Backspace" && !draft.closed && draft.points.length) {
      draft.points.pop();
      this.render();
    } else return;
    event.preventDefault();
  }
}

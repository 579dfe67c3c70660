/* Layers over one another: a picture, zones, boxes, and people who can be chosen. */

import {draw, make} from "./elements.js";
import {keyed} from "./elements.js";
import {fullLabel} from "./format.js";

/** A click beside a person by less than this is meant for them. */
const NEAR_PIXELS = 18;

/**
 * What a camera's view and the floor plan have in common.
 *
 * `camera` is whose view it is, `null` the floor's. Coordinates of zones are turned into pixels of the surface by
 * `place` and back by `unplace`: shares of the picture's width and height here, metres on the floor.
 */
export class Surface {
  constructor(camera, label) {
    this.camera = camera;
    this.label = label;
    this.ratio = 16 / 9;
    this.boxes = []; // of people, [x1, y1, x2, y2] in pixels of the surface: what labels keep clear of
    this.picture = make("canvas", {class: "picture", "aria-hidden": "true"});
    this.zones = draw("svg", {class: "shapes", "aria-hidden": "true"});
    this.marks = make("canvas", {class: "marks", "aria-hidden": "true"});
    this.people = make("div", {class: "people", role: "group", "aria-label": `People in ${label}`});
    this.element = make("div", {class: "stage"}, this.picture, this.zones, this.marks, this.people);
    this.onresize = () => {};
    this.size = [0, 0];
    new ResizeObserver(() => this.measure()).observe(this.element);
    this.people.addEventListener("keydown", event => this.step(event));
    this.people.addEventListener("pointerdown", event => (this.pressed = event.target.closest(".person")));
    this.people.addEventListener("click", event => this.meant(event));
  }

  measure() {
    const size = [this.element.clientWidth, this.element.clientHeight];
    if (size[0] === this.size[0] && size[1] === this.size[1]) return;
    this.size = size;
    const density = Math.min(window.devicePixelRatio || 1, 2);
    for (const canvas of [this.picture, this.marks]) {
      canvas.width = Math.max(Math.round(size[0] * density), 1);
      canvas.height = Math.max(Math.round(size[1] * density), 1);
    }
    this.zones.setAttribute("viewBox", `0 0 ${Math.max(size[0], 1)} ${Math.max(size[1], 1)}`);
    this.onresize();
  }

  /** A canvas to draw on in pixels of the surface, cleared. */
  context(canvas) {
    const context = canvas.getContext("2d"),
      density = canvas.width / Math.max(this.size[0], 1);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.setTransform(density, 0, 0, density, 0, 0);
    return context;
  }

  /** Where the picture lies: as large as it fits, [left, top, width, height]. */
  get area() {
    const [width, height] = this.size;
    const wide = Math.min(width, height * this.ratio),
      high = wide / this.ratio;
    return [(width - wide) / 2, (height - high) / 2, wide, high];
  }

  place([x, y]) {
    const [left, top, width, height] = this.area;
    return [left + x * width, top + y * height];
  }

  unplace([x, y]) {
    const [left, top, width, height] = this.area;
    return [(x - left) / Math.max(width, 1), (y - top) / Math.max(height, 1)].map(
      value => Math.round(1e4 * Math.min(Math.max(value, 0), 1)) / 1e4,
    );
  }

  /**
   * Put a link over everybody who can be chosen: `{key, identity, name, box}`, box in pixels of the surface.
   *
   * One stop of the Tab key for all of them; arrow keys go from one to the next.
   */
  choose(people) {
    keyed(
      this.people,
      people,
      person => person.key,
      () => make("a", {class: "person", tabindex: "-1", draggable: "false"}),
      (link, {identity, name, box}) => {
        if (link.identity !== identity || link.name !== name) {
          link.identity = identity;
          link.name = name;
          link.href = `#person-${identity}`;
          link.setAttribute("aria-label", `${fullLabel(identity, name)} in ${this.label}`);
        }
        link.style.transform = `translate(${box[0].toFixed(1)}px, ${box[1].toFixed(1)}px)`;
        link.style.width = `${Math.max(box[2] - box[0], 1).toFixed(1)}px`;
        link.style.height = `${Math.max(box[3] - box[1], 1).toFixed(1)}px`;
        // Who stands lower in the picture is nearer.
        link.style.zIndex = String(Math.max(Math.round(box[3]), 0));
      },
    );
    const links = [...this.people.children];
    if (links.length && !links.some(link => link.tabIndex === 0)) links[0].tabIndex = 0;
  }

  /** Open whose box is meant: who walks may have gone on since they were aimed at, or between press and release. */
  meant(event) {
    if (event.target.closest(".person")) return;
    const away = ({left, right, top, bottom}) =>
      Math.hypot(
        Math.max(left - event.clientX, 0, event.clientX - right),
        Math.max(top - event.clientY, 0, event.clientY - bottom),
      );
    const near = [...this.people.children]
      .map(link => ({link, distance: away(link.getBoundingClientRect())}))
      .filter(({distance}) => distance < NEAR_PIXELS)
      .sort((one, other) => one.distance - other.distance);
    (this.pressed?.isConnected ? this.pressed : near[0]?.link)?.click();
  }

  step(event) {
    const way = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    const links = [...this.people.children].sort(
      (one, other) => one.getBoundingClientRect().x - other.getBoundingClientRect().x,
    );
    const now = links.indexOf(document.activeElement);
    if (!way || now < 0) return;
    event.preventDefault();
    const next = links[(now + way + links.length) % links.length];
    links[now].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}

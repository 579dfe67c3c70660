/* The live floor plan: where everybody is, from above. */

import {identityColor} from "./colors.js";
import {drawTag} from "./drawing.js";
import {icon, make, setText} from "./elements.js";
import {drawFloor, FloorMap} from "./floor_drawing.js";
import {plural} from "./format.js";
import {state} from "./state.js";
import {Surface} from "./surface.js";

const RADIUS = 7;
const TRAIL_SECONDS = 8;
const TRAIL_POINTS = 60;

class FloorSurface extends Surface {
  constructor() {
    super(null, "the floor plan");
    this.bounds = [0, 0, 1, 1];
  }

  get map() {
    if (this.mapped?.size !== this.size || this.mapped?.bounds !== this.bounds) {
      this.mapped = {size: this.size, bounds: this.bounds, map: new FloorMap(this.bounds, this.size)};
    }
    return this.mapped.map;
  }

  place(point) {
    return this.map.place(point);
  }

  unplace(point) {
    return this.map.unplace(point);
  }
}

export class FloorPlan {
  constructor(onenlarge) {
    this.surface = new FloorSurface();
    this.surface.onresize = () => {
      this.draw();
      this.ondrawn();
    };
    this.ondrawn = () => {};
    this.floor = null;
    this.message = {time: 0, people: []};
    this.trails = new Map();
    this.number = make("span", {class: "rate"});
    this.enlarge = make("button", {type: "button", class: "plain", onclick: () => onenlarge(this)});
    this.legend = make("div", {class: "legend"});
    this.element = make(
      "article",
      {class: "view floor", "aria-label": "Floor plan"},
      make("header", {}, make("h3", {}, "Floor"), this.number, this.enlarge),
      this.surface.element,
      this.legend,
    );
    this.setEnlarged(false);
  }

  setEnlarged(enlarged) {
    this.enlarge.setAttribute("aria-pressed", String(enlarged));
    this.enlarge.setAttribute("aria-label", enlarged ? "Show all cameras" : "Enlarge the floor plan");
    this.enlarge.title = enlarged ? "Show all cameras" : "Enlarge";
    this.enlarge.replaceChildren(icon(enlarged ? "shrink" : "enlarge"));
  }

  /** The floor of GET /api/status. */
  update(floor) {
    if (JSON.stringify(floor) === JSON.stringify(this.floor)) return;
    this.floor = floor;
    this.surface.bounds = floor.bounds;
    this.surface.ratio = (floor.bounds[2] - floor.bounds[0] + 1) / (floor.bounds[3] - floor.bounds[1] + 1);
    this.draw();
    this.ondrawn();
  }

  /** A "floor" message: who is where. */
  show(message) {
    this.message = message;
    const seen = new Set();
    for (const [track, identity, x, y] of message.people) {
      seen.add(track);
      const trail = this.trails.get(track) ?? [];
      trail.push([message.time, x, y, identity]);
      while (trail.length > TRAIL_POINTS || trail[0][0] < message.time - TRAIL_SECONDS) trail.shift();
      this.trails.set(track, trail);
    }
    for (const track of this.trails.keys()) if (!seen.has(track)) this.trails.delete(track);
    setText(this.number, message.people.length ? plural(message.people.length, "person", "people") : "nobody");
    this.draw();
  }

  draw() {
    const {surface} = this;
    if (!surface.size[0] || !this.floor) return;
    drawFloor(surface.context(surface.picture), surface.map, this.floor);
    const context = surface.context(surface.marks);
    for (const trail of this.trails.values()) this.drawTrail(context, trail);
    const everybody = this.message.people.map(([track, identity, x, y]) => ({
      key: track,
      identity,
      name: state.names.get(identity),
      at: surface.place([x, y]),
    }));
    // Who is outside of what is shown has no place on it.
    const people = everybody.filter(({at: [x, y]}) => x >= 0 && x <= surface.size[0] && y >= 0 && y <= surface.size[1]);
    for (const {identity, at} of people) {
      context.beginPath();
      context.arc(...at, RADIUS, 0, 2 * Math.PI);
      context.fillStyle = identityColor(identity);
      context.fill();
      context.lineWidth = 2;
      context.strokeStyle = "rgb(18 20 24)";
      context.stroke();
    }
    const taken = people.map(({at: [x, y]}) => [x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS]);
    for (const {identity, name, at} of people) {
      if (!identity) continue;
      drawTag(
        context,
        {identity, name, left: at[0] + RADIUS + 3, bottom: at[1] + 9, letters: 12.5},
        surface.size,
        taken,
      );
    }
    surface.boxes = people.map(({at: [x, y]}) => [x - RADIUS, y - RADIUS, x + 4 * RADIUS, y + RADIUS]);
    surface.choose(
      people
        .filter(person => person.identity)
        .map(({at: [x, y], ...person}) => ({
          ...person,
          box: [x - 14, y - 14, x + 14, y + 14],
        })),
    );
  }

  drawTrail(context, trail) {
    context.lineWidth = 3;
    context.lineCap = "round";
    for (let index = 1; index < trail.length; index += 1) {
      context.globalAlpha = (0.7 * index) / trail.length;
      context.strokeStyle = identityColor(trail[index][3]);
      context.beginPath();
      context.moveTo(...this.surface.place(trail[index - 1].slice(1, 3)));
      context.lineTo(...this.surface.place(trail[index].slice(1, 3)));
      context.stroke();
    }
    context.globalAlpha = 1;
  }
}

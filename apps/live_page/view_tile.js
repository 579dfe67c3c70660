/* One camera's live view. */

import {drawPeople} from "./drawing.js";
import {icon, make, setText} from "./elements.js";
import {clock, decimal, duration} from "./format.js";
import {Surface} from "./surface.js";

const PHASES = {
  starting: ["Starting", "wait"],
  running: ["Live", "good"],
  stalled: ["Stalled", "warn"],
  reconnecting: ["Reconnecting", "bad"],
  ended: ["Ended", "warn"],
  failed: ["Failed", "bad"],
};

/** What a camera's state is called, and its kind: `good`, `wait`, `warn` or `bad`. */
export function phaseText(phase) {
  return PHASES[phase] ?? [phase, "warn"];
}

export class ViewTile {
  /** `onenlarge(tile)` is called when the view shall fill the mosaic, or no longer. */
  constructor(name, onenlarge) {
    this.name = name;
    this.surface = new Surface(name, name);
    this.surface.onresize = () => {
      this.draw();
      this.ondrawn();
    };
    this.ondrawn = () => {};
    this.onratio = () => {};
    this.image = null;
    this.frame = null;
    this.camera = null;
    this.badge = make("span", {class: "badge"});
    this.rate = make("span", {class: "rate"});
    this.enlarge = make(
      "button",
      {type: "button", class: "plain", "aria-pressed": "false", onclick: () => onenlarge(this)},
      icon("enlarge"),
    );
    this.why = make("p", {class: "why"});
    this.since = make("p", {class: "since"});
    this.down = make("div", {class: "down-note", hidden: true}, icon("camera-off"), this.why, this.since);
    this.surface.element.append(this.down);
    this.legend = make("div", {class: "legend"});
    this.element = make(
      "article",
      {class: "view", "aria-label": `Camera ${name}`},
      make("header", {}, make("h3", {}, name), this.badge, this.rate, this.enlarge),
      this.surface.element,
      this.legend,
    );
    this.element.dataset.camera = name;
    this.setEnlarged(false);
  }

  setEnlarged(enlarged) {
    this.enlarge.setAttribute("aria-pressed", String(enlarged));
    this.enlarge.setAttribute("aria-label", enlarged ? "Show all cameras" : `Enlarge ${this.name}`);
    this.enlarge.title = enlarged ? "Show all cameras" : "Enlarge";
    this.enlarge.replaceChildren(icon(enlarged ? "shrink" : "enlarge"));
  }

  /** Show a frame; resolves when its picture is decoded and drawn. */
  async show(frame, jpeg) {
    const image = await createImageBitmap(jpeg);
    this.image?.close();
    this.image = image;
    this.frame = frame;
    this.resize(frame.size);
    this.draw();
  }

  /** Take the size of the camera's pictures; the mosaic is arranged by it. */
  resize([width, height]) {
    if (this.surface.ratio === width / height) return;
    this.surface.ratio = width / height;
    this.onratio();
    this.draw();
    this.ondrawn();
  }

  draw() {
    const {surface} = this;
    if (!surface.size[0]) return;
    const picture = surface.context(surface.picture);
    if (this.image) picture.drawImage(this.image, ...surface.area);
    const marks = surface.context(surface.marks);
    const people = this.frame && !this.isDown ? this.people() : [];
    surface.boxes = people.map(person => person.box);
    drawPeople(marks, people, surface.size);
    surface.choose(people.filter(person => person.identity));
  }

  people() {
    const [width, height] = this.frame.size;
    return this.frame.boxes
      .map(([x1, y1, x2, y2, track, identity, name]) => ({
        key: track,
        identity,
        name,
        box: [
          ...this.surface.place([Math.max(x1, 0) / width, Math.max(y1, 0) / height]),
          ...this.surface.place([Math.min(x2, width) / width, Math.min(y2, height) / height]),
        ],
      }))
      .filter(({box}) => box[2] > box[0] && box[3] > box[1]);
  }

  /** Show a camera's state, as in GET /api/status; `now` by the server's clock. */
  update(camera, now) {
    const wasDown = this.isDown;
    this.camera = camera;
    if (camera.size && !this.image) this.resize(camera.size);
    const [text, kind] = phaseText(camera.phase);
    this.badge.className = `badge ${kind}`;
    setText(this.badge, text);
    setText(this.rate, camera.phase === "running" ? `${decimal(camera.frame_rate, 0)} fps` : "");
    this.element.classList.toggle("down", this.isDown);
    this.down.hidden = !this.isDown && camera.phase !== "starting";
    setText(this.why, camera.message || (camera.phase === "starting" ? "Waiting for the first picture" : text));
    const seen = Number.isFinite(camera.age) && camera.frames > 0;
    const last = now - camera.age;
    setText(this.since, this.isDown && seen ? `Last picture ${clock(last)}, ${duration(camera.age)} ago` : "");
    if (wasDown !== this.isDown) this.draw();
  }

  get isDown() {
    return this.camera !== null && !["running", "starting"].includes(this.camera.phase);
  }

  get hasPicture() {
    return this.image !== null;
  }
}

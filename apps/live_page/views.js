/* The mosaic: all cameras, and the floor from above, as large as they fit. */

import {get, later} from "./elements.js";
import {FloorPlan} from "./floor_plan.js";
import {on, tell} from "./state.js";
import {ViewTile} from "./view_tile.js";

const LEAST_WIDTH = 270;
const CAPTION = 36;
const LEGEND = 28;
const TWO_COLUMNS = 560;
const GAP = 12;
const WIDTHS = [320, 480, 640, 960, 1280];

export class Views {
  /** `watch(cameras, width, rate)` says which views the server shall send. */
  constructor(watch) {
    this.watch = watch;
    this.tiles = new Map();
    this.plan = null;
    this.enlarged = null;
    this.visible = new Set();
    this.element = get("mosaic");
    this.surfaces = [];
    this.arrangeSoon = later(60, () => this.arrange());
    this.observer = new IntersectionObserver(
      entries => {
        for (const {target, isIntersecting} of entries) {
          if (isIntersecting) this.visible.add(target);
          else this.visible.delete(target);
        }
        this.ask();
      },
      {rootMargin: "80px"},
    );
    new ResizeObserver(() => this.arrangeSoon()).observe(get("views"));
    on("status", status => this.update(status));
    on("zones", () => this.arrangeSoon());
    on("floor", message => this.plan?.show(message));
    on("theme", () => {
      for (const tile of this.tiles.values()) tile.draw();
      this.plan?.draw();
    });
    document.addEventListener("visibilitychange", () => this.ask());
    document.addEventListener("keydown", event => {
      if (
        event.key === "Escape" &&
        this.enlarged &&
        !event.defaultPrevented &&
        !document.querySelector("dialog[open]")
      ) {
        this.setEnlarged(null);
      }
    });
  }

  update(status) {
    const names = status.cameras.map(camera => camera.name);
    let changed = false;
    for (const [name, tile] of this.tiles) {
      if (names.includes(name)) continue;
      this.observer.unobserve(tile.element);
      tile.element.remove();
      this.tiles.delete(name);
      changed = true;
    }
    for (const camera of status.cameras) {
      let tile = this.tiles.get(camera.name);
      if (!tile) {
        tile = new ViewTile(camera.name, chosen => this.setEnlarged(this.enlarged === chosen ? null : chosen));
        tile.onratio = this.arrangeSoon;
        this.tiles.set(camera.name, tile);
        this.element.insertBefore(tile.element, this.plan?.element ?? null);
        this.observer.observe(tile.element);
        changed = true;
      }
      tile.update(camera, status.time);
    }
    if (Boolean(status.floor) !== Boolean(this.plan)) {
      if (this.plan) {
        this.plan.element.remove();
        this.plan = null;
      } else {
        this.plan = new FloorPlan(chosen => this.setEnlarged(this.enlarged === chosen ? null : chosen));
        this.element.append(this.plan.element);
      }
      changed = true;
    }
    this.plan?.update(status.floor);
    get("no-cameras").hidden = status.cameras.length > 0;
    if (changed) {
      this.surfaces = [...this.all()].map(tile => tile.surface);
      tell("surfaces", [...this.all()]);
      this.arrange();
    }
  }

  *all() {
    yield* this.tiles.values();
    if (this.plan) yield this.plan;
  }

  async show(frame, jpeg) {
    await this.tiles.get(frame.camera)?.show(frame, jpeg);
  }

  setEnlarged(tile) {
    const before = this.enlarged;
    this.enlarged = tile;
    for (const other of this.all()) {
      other.setEnlarged(other === tile);
      other.element.hidden = tile !== null && other !== tile;
    }
    this.arrange();
    (tile ?? before)?.enlarge.focus();
  }

  /** Choose the number of columns that shows the views largest without scrolling. */
  arrange() {
    const tiles = this.enlarged ? [this.enlarged] : [...this.all()];
    const ratios = [...this.tiles.values()].map(tile => tile.surface.ratio).sort((one, other) => one - other);
    const ratio = ratios.length ? ratios[Math.floor(ratios.length / 2)] : 16 / 9;
    const [width, height] = this.room();
    if (!tiles.length || width <= 0) return;
    const caption = this.element.querySelector(".chip") ? CAPTION + LEGEND : CAPTION;
    const narrow = getComputedStyle(document.documentElement).getPropertyValue("--narrow").trim() === "1";
    const least = narrow && width < TWO_COLUMNS ? width : LEAST_WIDTH;
    let columns = 1;
    let size = 0;
    for (let number = 1; number <= (narrow ? 0 : tiles.length); number += 1) {
      const rows = Math.ceil(tiles.length / number);
      const across = (width - GAP * (number - 1)) / number;
      const down = ((height - GAP * (rows - 1)) / rows - caption) * ratio;
      if (Math.min(across, down) > size) [columns, size] = [number, Math.min(across, down)];
    }
    if (size < Math.min(least, width)) {
      columns = Math.min(Math.max(Math.floor((width + GAP) / (least + GAP)), 1), tiles.length);
      size = (width - GAP * (columns - 1)) / columns;
    }
    size = Math.floor(size);
    this.element.style.gridTemplateColumns = `repeat(${columns}, ${size}px)`;
    // In a row all are of one height; in a column each has its own.
    for (const tile of tiles) {
      const own = Math.min(Math.max(tile.surface.ratio, 0.8), 2.4);
      tile.element.style.setProperty("--ratio", String(columns === 1 && narrow ? own : ratio));
    }
    this.stretchPlan(tiles, columns, size, height - caption * Math.ceil(tiles.length / columns), ratio);
    this.width = size;
    this.ask();
  }

  /** Width and height for the mosaic. */
  room() {
    const place = get("views");
    const style = getComputedStyle(place);
    const free = (whole, ...sides) => sides.reduce((sum, side) => sum - parseFloat(style[side]), whole);
    return [
      free(place.clientWidth, "paddingLeft", "paddingRight"),
      free(place.clientHeight, "paddingTop", "paddingBottom") - 4,
    ];
  }

  /** The floor plan, which comes last, takes what its row and the rows above leave. */
  stretchPlan(tiles, columns, size, height, ratio) {
    if (!this.plan) return;
    const {element, surface} = this.plan;
    const rows = Math.ceil(tiles.length / columns);
    const span = tiles.at(-1) === this.plan && columns > 1 ? columns * rows - tiles.length + 1 : 1;
    const free = height - GAP * (rows - 1) - (rows - 1) * (size / ratio);
    const useful = (span * size + GAP * (span - 1)) / surface.ratio;
    element.style.gridColumn = span > 1 ? `span ${span}` : "";
    const stretched = span > 1 ? Math.max(Math.min(free, useful), size / ratio) : 0;
    surface.element.style.aspectRatio = stretched ? "auto" : "";
    surface.element.style.height = stretched ? `${Math.floor(stretched)}px` : "";
  }

  /** Ask for what can be seen, no larger than it is shown; for nothing while the page is hidden. */
  ask() {
    const cameras = document.hidden
      ? []
      : [...this.tiles.values()]
          .filter(tile => !tile.element.hidden && this.visible.has(tile.element))
          .map(tile => tile.name);
    const wanted = (this.width ?? 640) * Math.min(window.devicePixelRatio || 1, 2);
    const width = WIDTHS.find(step => step >= 0.9 * wanted) ?? WIDTHS.at(-1);
    this.watch(cameras, width, navigator.connection?.saveData ? 2 : 10);
  }
}

/* The floor from above: metres to pixels, its grid and its cameras. */

import {themeColor} from "./colors.js";

const STEPS = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500];
const LEAST_SPACING = 26;
const MARGIN = 14;

/** Where a place on the floor lies in a picture: x to the right, y up, all of `bounds` in it. */
export class FloorMap {
  constructor(bounds, [width, height]) {
    [this.x1, this.y1, this.x2, this.y2] = bounds;
    const across = Math.max(this.x2 - this.x1, 0.1),
      up = Math.max(this.y2 - this.y1, 0.1);
    this.scale = Math.max(Math.min((width - 2 * MARGIN) / across, (height - 2 * MARGIN) / up), 0.1);
    this.left = (width - this.scale * across) / 2;
    this.top = (height - this.scale * up) / 2;
  }

  place([x, y]) {
    return [this.left + (x - this.x1) * this.scale, this.top + (this.y2 - y) * this.scale];
  }

  unplace([x, y]) {
    return [this.x1 + (x - this.left) / this.scale, this.y2 - (y - this.top) / this.scale].map(
      value => Math.round(100 * value) / 100,
    );
  }
}

/** Draw the ground, a grid in metres and the cameras of `floor`, as in GET /api/status. */
export function drawFloor(context, map, floor) {
  const [left, top] = map.place([map.x1, map.y2]),
    [right, bottom] = map.place([map.x2, map.y1]);
  context.fillStyle = themeColor("--floor");
  context.fillRect(left, top, right - left, bottom - top);
  const step = STEPS.find(length => length * map.scale >= LEAST_SPACING) ?? STEPS.at(-1);
  context.lineWidth = 1;
  context.strokeStyle = themeColor("--floor-grid");
  context.beginPath();
  for (let x = Math.ceil(map.x1 / step) * step; x <= map.x2 + 1e-9; x += step) {
    const at = Math.round(map.place([x, 0])[0]) + 0.5;
    context.moveTo(at, top);
    context.lineTo(at, bottom);
  }
  for (let y = Math.ceil(map.y1 / step) * step; y <= map.y2 + 1e-9; y += step) {
    const at = Math.round(map.place([0, y])[1]) + 0.5;
    context.moveTo(left, at);
    context.lineTo(right, at);
  }
  context.stroke();
  context.strokeStyle = themeColor("--soft");
  context.strokeRect(left + 0.5, top + 0.5, right - left - 1, bottom - top - 1);
  // Cameras are often in corners.
  drawScale(context, map, step, (left + right - step * map.scale) / 2, bottom);
  for (const camera of floor.cameras) drawCamera(context, map, camera, [left, top, right, bottom]);
}

function drawScale(context, map, step, left, bottom) {
  context.fillStyle = context.strokeStyle = themeColor("--soft");
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(left, bottom - 8);
  context.lineTo(left + step * map.scale, bottom - 8);
  context.stroke();
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "alphabetic";
  context.fillText(`${step} m`, left + 1, bottom - 12);
}

function drawCamera(context, map, {name, position, direction}, [left, top, right, bottom]) {
  // A camera may hang outside of what is shown; it stands at the border then.
  const [px, py] = map.place(position);
  const x = Math.min(Math.max(px, left), right),
    y = Math.min(Math.max(py, top), bottom);
  const angle = Math.atan2(-direction[1], direction[0]);
  context.save();
  context.translate(x, y);
  context.rotate(angle);
  context.fillStyle = themeColor("--floor-view");
  context.beginPath();
  context.moveTo(0, 0);
  context.arc(0, 0, Math.min(3 * map.scale, 70), -0.5, 0.5);
  context.fill();
  context.fillStyle = themeColor("--text");
  context.beginPath();
  context.roundRect(-9, -5, 11, 10, 2);
  context.moveTo(2, 0);
  context.lineTo(7, -5);
  context.lineTo(7, 5);
  context.fill();
  context.restore();
  context.font = "600 11px system-ui, sans-serif";
  const width = context.measureText(name).width;
  context.textBaseline = "middle";
  const at = [Math.min(Math.max(x - width / 2, left + 4), right - width - 4), y > (top + bottom) / 2 ? y - 16 : y + 16];
  context.lineJoin = "round";
  context.lineWidth = 3;
  context.strokeStyle = themeColor("--floor");
  context.strokeText(name, ...at);
  context.fillStyle = themeColor("--soft");
  context.fillText(name, ...at);
}

/* How the machine and the cameras are doing. */

import {themeColor} from "./colors.js";
import {get, keyed, make, setText} from "./elements.js";
import {bytes, count, decimal, duration, sentence} from "./format.js";
import {on, state} from "./state.js";
import {phaseText} from "./view_tile.js";

const REMEMBERED = 150;
/** Fewer do not fill a curve's width. */
const LEAST_SHOWN = 20;

export class Health {
  constructor() {
    this.history = [];
    on("status", status => this.update(status));
    on("tab", tab => {
      if (tab === "health") this.show();
    });
    on("theme", () => this.show());
  }

  update(status) {
    const {frames_per_second: rate, latency_seconds: latency} = status.processing;
    this.history.push([rate, latency]);
    if (this.history.length > REMEMBERED) this.history.shift();
    const slow = status.processing.too_slow;
    get("too-slow").hidden = !slow;
    const said = status.processing.message || "this machine is too slow for all frames; the rate falls evenly";
    setText(get("too-slow-text"), slow ? sentence(said) : "");
    if (document.body.dataset.tab === "health" && !document.hidden) this.show();
  }

  show() {
    const {status} = state;
    if (!status || document.body.dataset.tab !== "health") return;
    const {processing, store} = status;
    const dropped = status.cameras.reduce((sum, camera) => sum + camera.dropped, 0);
    const reconnects = status.cameras.reduce((sum, camera) => sum + camera.reconnects, 0);
    const figures = [
      ["rate", "Frames per second", decimal(processing.frames_per_second), "of each camera, processed"],
      [
        "latency",
        "Latency",
        Number.isFinite(processing.latency_seconds) ? `${Math.round(1000 * processing.latency_seconds)} ms` : "–",
        "from picture to result",
      ],
      [
        "load",
        "Busy",
        Number.isFinite(processing.load) ? `${Math.round(100 * processing.load)} %` : "–",
        "of the time",
      ],
      ["memory", "Memory", bytes(status.memory_bytes), "of this program"],
      ["dropped", "Frames dropped", count(dropped), `${count(processing.processed)} processed`],
      ["reconnects", "Reconnects", count(reconnects), "of all cameras"],
      ["people", "People known", count(store.people), `${count(store.vectors)} vectors`],
      [
        "store",
        "Store",
        bytes(store.bytes),
        store.keep_days ? `kept for ${decimal(store.keep_days, 0)} days` : "kept without limit",
      ],
    ];
    keyed(
      get("figures"),
      figures,
      ([key]) => key,
      ([key]) => {
        const node = make("div", {class: "figure"}, make("dt"), make("dd"), make("p", {class: "soft"}));
        if (key === "rate" || key === "latency") node.append(make("canvas", {class: "spark", "aria-hidden": "true"}));
        return node;
      },
      (node, [key, term, value, note]) => {
        setText(node.children[0], term);
        setText(node.children[1], value);
        setText(node.children[2], note);
        node.classList.toggle("bad", key === "rate" && processing.too_slow);
      },
    );
    this.cameras(status);
    this.settings(status);
    for (const [index, node] of [...get("figures").querySelectorAll(".spark")].entries()) {
      spark(
        node,
        this.history.map(values => values[index]),
      );
    }
  }

  cameras(status) {
    keyed(
      get("camera-rows"),
      status.cameras,
      camera => camera.name,
      () =>
        make(
          "tr",
          {},
          make("th", {scope: "row"}),
          make("td", {}, make("span", {class: "badge"})),
          ...[1, 2, 3].map(() => make("td", {class: "number"})),
        ),
      (row, camera) => {
        const [text, kind] = phaseText(camera.phase),
          cells = row.children;
        setText(cells[0], camera.name);
        row.title = [
          camera.source,
          camera.size ? `${camera.size[0]} × ${camera.size[1]} pixels, ${count(camera.frames)} frames` : "",
          camera.message,
        ]
          .filter(Boolean)
          .join("\n");
        cells[1].firstChild.className = `badge ${kind}`;
        setText(cells[1].firstChild, text);
        setText(cells[2], decimal(camera.frame_rate));
        setText(cells[3], count(camera.dropped));
        setText(cells[4], count(camera.reconnects));
      },
    );
  }

  settings(status) {
    const {processing, privacy} = status;
    const hidden = privacy.people ? "whole people blurred" : privacy.faces ? "heads blurred" : "nothing hidden";
    const crops = processing.embedded_crops + processing.skipped_crops;
    const rows = [
      ["Running for", duration(status.time - status.started)],
      ["Detector", status.detector],
      ["Embedder", status.embedder],
      ["Embedded", crops ? `${count(processing.embedded_crops)} of ${count(crops)} crops` : "–"],
      ["Rule", processing.rule],
      ["Privacy", hidden],
      ["Version", status.version],
    ].filter(([, text]) => text);
    keyed(
      get("settings"),
      rows,
      ([term]) => term,
      ([term]) => make("div", {}, make("dt", {}, term), make("dd")),
      (node, [, text]) => setText(node.lastChild, String(text)),
    );
    setText(get("health-message"), sentence(processing.message ?? ""));
    get("health-message").hidden = !processing.message;
  }
}

function spark(canvas, values) {
  const width = canvas.clientWidth,
    height = canvas.clientHeight,
    density = Math.min(window.devicePixelRatio || 1, 2);
  if (!width || values.length < 2) return;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const context = canvas.getContext("2d"),
    most = Math.max(...values.filter(Number.isFinite), 1e-3);
  context.scale(density, density);
  context.strokeStyle = themeColor("--accent");
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.beginPath();
  values.forEach((value, index) => {
    context.lineTo(
      (width * index) / Math.max(values.length - 1, LEAST_SHOWN),
      height - 2 - ((height - 4) * (Number.isFinite(value) ? value : 0)) / most,
    );
  });
  context.stroke();
}

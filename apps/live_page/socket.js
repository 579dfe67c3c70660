/* The connection to the server: messages, frames with their pictures, and coming back after it is lost. */

const PAUSES = [1, 2, 4, 8, 15, 30];

/**
 * A WebSocket that connects again, after growing pauses, for as long as the page is open.
 *
 * `onmessage(message)` gets every JSON message but frames; `onframe(frame, jpeg)` gets a frame and its picture, a Blob,
 * and returns a promise: the next frame of that camera is asked for only when it is settled, so a slow page gets fewer
 * frames and none late. `onstate({phase, until})`: `connecting`, `open`, or `waiting` until a time (Date.now()).
 */
export class LiveSocket {
  constructor({onmessage, onframe, onstate}) {
    Object.assign(this, {onmessage, onframe, onstate});
    this.socket = null;
    this.failures = 0;
    this.timer = 0;
    this.wanted = {cameras: [], width: 640, rate: 10};
    this.sent = "";
    window.addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.hurry();
    });
  }

  /** Try at once instead of waiting on. */
  hurry() {
    if (this.socket === null) this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    this.onstate({phase: "connecting"});
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/api/live`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    let frame = null;
    socket.addEventListener("open", () => {
      this.failures = 0;
      this.sent = "";
      this.onstate({phase: "open"});
      this.ask();
    });
    socket.addEventListener("message", event => {
      if (typeof event.data !== "string") {
        if (frame !== null) this.show(socket, frame, event.data);
        frame = null;
        return;
      }
      const message = JSON.parse(event.data);
      if (message.type === "frame") frame = message;
      else this.onmessage(message);
    });
    socket.addEventListener("close", () => this.lost(socket));
  }

  async show(socket, frame, data) {
    try {
      await this.onframe(frame, new Blob([data], {type: "image/jpeg"}));
    } catch (error) {
      console.warn(`A picture of ${frame.camera} could not be shown: ${error.message}`);
    }
    if (socket.readyState === WebSocket.OPEN) {
      socket.send(JSON.stringify({type: "seen", camera: frame.camera, sequence: frame.sequence}));
    }
  }

  lost(socket) {
    if (this.socket !== socket) return;
    this.socket = null;
    const longest = PAUSES[Math.min(this.failures, PAUSES.length - 1)];
    this.failures += 1;
    // Many pages that lost one server do not come back in the same instant.
    const pause = 1000 * longest * (0.8 + 0.4 * Math.random());
    this.onstate({phase: "waiting", until: Date.now() + pause});
    this.timer = setTimeout(() => this.connect(), pause);
  }

  /** Say which views are wanted from now on; the server sends no others. */
  watch(cameras, width, rate) {
    this.wanted = {cameras, width, rate};
    this.ask();
  }

  ask() {
    const text = JSON.stringify({type: "watch", ...this.wanted});
    if (this.socket?.readyState !== WebSocket.OPEN || text === this.sent) return;
    this.sent = text;
    this.socket.send(text);
  }
}

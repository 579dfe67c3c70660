/* Puts the page together. */

import {api} from "./api.js";
import {get, setText} from "./elements.js";
import {EventLog} from "./events.js";
import {plural} from "./format.js";
import {Health} from "./health.js";
import {attempt} from "./messages.js";
import {People} from "./people.js";
import {PersonCard} from "./person_card.js";
import {PhotoSearch} from "./search.js";
import {LiveSocket} from "./socket.js";
import {learnNames, state, tell} from "./state.js";
import {startTabs} from "./tabs.js";
import {startTheme} from "./theme.js";
import {Views} from "./views.js";
import {Zones} from "./zones.js";

startTheme();
const socket = new LiveSocket({onmessage: receive, onframe: showFrame, onstate: showConnection});
const views = new Views((cameras, width, rate) => socket.watch(cameras, width, rate));
const people = new People();
const card = new PersonCard();
const zones = new Zones();
const log = new EventLog();
new Health();
new PhotoSearch();
let wasOpen = false,
  tick = 0;

function receive({type, ...content}) {
  if (type === "status") takeStatus(content);
  else if (type === "present") takePresent(content);
  else if (type === "counts") {
    state.counts = content;
    tell("counts");
  } else if (type === "event") takeEvent(content);
  else if (type === "floor") tell("floor", content);
}

async function showFrame(frame, jpeg) {
  await views.show(frame, jpeg);
  tell("frame", frame);
}

function takeStatus(status) {
  if (state.status && state.status.started !== status.started) card.forget();
  state.status = status;
  summarise();
  get("privacy").hidden = !(status.privacy.faces || status.privacy.people);
  setText(get("privacy"), status.privacy.people ? "people blurred" : "heads blurred");
  tell("status", status);
}

function summarise() {
  const {status, present} = state;
  if (status)
    setText(
      get("summary"),
      [
        plural(status.cameras.length, "camera"),
        `${plural(present.people.length, "person", "people")} here`,
        `${plural(status.store.people, "person", "people")} known`,
      ].join(" · "),
    );
}

function takePresent(present) {
  state.present = present;
  learnNames(present.people);
  summarise();
  tell("present");
}

async function takeEvent(event) {
  if (event.kind === "identity_renamed") {
    await attempt(async () => learnNames([await api.person(event.identity)]));
    tell("names");
  } else if (event.kind === "identity_erased") state.names.delete(event.identity);
  tell("event", event);
}

function showConnection({phase, until}) {
  const link = get("link");
  link.className = `badge ${phase === "open" ? "good" : phase === "connecting" && !wasOpen ? "wait" : "bad"}`;
  setText(link, phase === "open" ? "Connected" : phase === "connecting" && !wasOpen ? "Connecting" : "Not connected");
  document.body.classList.toggle("cut-off", phase !== "open");
  clearInterval(tick);
  if (phase === "open") {
    get("banner").hidden = true;
    wasOpen = true;
    zones.load();
    log.load();
    people.reload();
    return;
  }
  if (phase === "connecting") {
    if (!get("banner").hidden) setText(get("banner-count"), "Trying …");
    return;
  }
  get("banner").hidden = false;
  setText(
    get("banner-text"),
    wasOpen ? "The connection to the server is lost. What is shown is old." : "The server cannot be reached.",
  );
  const count = () =>
    setText(get("banner-count"), `Trying again in ${Math.max(Math.ceil((until - Date.now()) / 1000), 0)} s.`);
  count();
  tick = setInterval(count, 500);
  // A token that is not accepted looks like a lost connection; this tells them apart, and asks for it.
  api.status().catch(() => {});
}

get("banner-now").addEventListener("click", () => socket.hurry());
startTabs();
attempt(async () => takeStatus(await api.status()));
attempt(async () => takePresent(await api.present()));
socket.connect();
card.follow();

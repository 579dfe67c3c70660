/* The panels, one at a time; on narrow screens the live views are one of them. */

import {get} from "./elements.js";
import {tell} from "./state.js";

const NARROW = matchMedia("(max-width: 55.99rem)");
const tabs = () => [...document.querySelectorAll("[role=tab]")];
let wanted = "views";

/** Show a panel: `views` (on narrow screens), `people`, `search`, `zones`, `events` or `health`. */
export function showTab(name) {
  wanted = name;
  const shown = !NARROW.matches && name === "views" ? "people" : name;
  document.body.dataset.tab = shown;
  for (const tab of tabs()) {
    const chosen = tab.dataset.tab === shown;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (tab.dataset.tab !== "views") get(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
  tell("tab", shown);
}

/** Let the live views be seen, and one of them (`null`: the floor plan) if a camera is given. */
export function showViews(camera) {
  if (NARROW.matches) showTab("views");
  if (camera === undefined) return;
  const tile =
    camera === null
      ? document.querySelector(".view.floor")
      : [...document.querySelectorAll(".view")].find(view => view.dataset.camera === camera);
  tile?.scrollIntoView({block: "center"});
}

export function startTabs() {
  for (const tab of tabs()) tab.addEventListener("click", () => showTab(tab.dataset.tab));
  get("tabs").addEventListener("keydown", event => {
    const list = tabs().filter(tab => tab.offsetParent !== null || getComputedStyle(tab).display !== "none");
    const now = list.indexOf(document.activeElement);
    const next = {
      ArrowRight: now + 1,
      ArrowDown: now + 1,
      ArrowLeft: now - 1,
      ArrowUp: now - 1,
      Home: 0,
      End: list.length - 1,
    }[event.key];
    if (now < 0 || next === undefined) return;
    event.preventDefault();
    const tab = list[(next + list.length) % list.length];
    showTab(tab.dataset.tab);
    tab.focus();
  });
  NARROW.addEventListener("change", () => showTab(wanted));
  showTab("views");
}

/* Light and dark: as the system has it, or as chosen here. */

import {forgetTheme} from "./colors.js";
import {get, icon} from "./elements.js";
import {tell} from "./state.js";

const CHOICES = ["auto", "light", "dark"];
const SAID = {auto: "as the system", light: "light", dark: "dark"};
const ICONS = {auto: "auto", light: "sun", dark: "moon"};
const KEY = "multicam-theme";

function remembered() {
  // Storage is refused in some private windows; the choice is then forgotten.
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function choose(choice) {
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  const button = get("theme");
  button.dataset.choice = choice;
  button.replaceChildren(icon(ICONS[choice]));
  button.setAttribute("aria-label", `Colours: ${SAID[choice]}. Change`);
  button.title = `Colours: ${SAID[choice]}`;
  changed();
}

function changed() {
  forgetTheme();
  tell("theme");
}

export function startTheme() {
  const before = remembered();
  choose(CHOICES.includes(before) ? before : "auto");
  get("theme").addEventListener("click", () => {
    const next = CHOICES[(CHOICES.indexOf(get("theme").dataset.choice) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEY, next);
    } catch {
      /* as above */
    }
    choose(next);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}

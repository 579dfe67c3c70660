/* Short messages that come and go, and questions before something cannot be undone. */

import {get, make} from "./elements.js";

const SHOWN_MS = 6000;
let timer = 0;

/** Show one line at the lower edge; screen readers say it. */
export function announce(text, {bad = false} = {}) {
  const place = get("message");
  place.textContent = text;
  place.classList.toggle("bad", bad);
  place.hidden = false;
  // Above open dialogs, which lie on the top layer.
  if (place.showPopover) {
    if (place.matches(":popover-open")) place.hidePopover();
    place.showPopover();
  }
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (place.hidePopover && place.matches(":popover-open")) place.hidePopover();
    place.hidden = true;
  }, SHOWN_MS);
}

/** Run an action; what goes wrong is shown. Returns whether it went well. */
export async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    announce(error.message, {bad: true});
    return false;
  }
}

/** Ask; resolves to whether the answer is yes. Escape is no. */
export function confirmed({title, text, yes, danger = false, content = null}) {
  return new Promise(resolve => {
    const dialog = make("dialog", {class: "question", "aria-labelledby": "question-title"});
    const agree = make("button", {type: "button", class: danger ? "danger" : "main"}, yes);
    const refuse = make("button", {type: "button"}, "Cancel");
    dialog.append(
      make("h2", {id: "question-title"}, title),
      make("p", {}, text),
      ...(content ? [content] : []),
      make("div", {class: "buttons"}, refuse, agree),
    );
    agree.addEventListener("click", () => dialog.close("yes"));
    refuse.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    refuse.focus();
  });
}

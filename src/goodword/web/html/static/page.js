// Makes pages better, all of which work without it: times, links of e-mails, copying and sharing, passwords, menus.
"use strict";

// Times are shown in the zone of the reader, in the format of the server. The exact instant stays in the title.
const isEnglish = document.documentElement.lang === "en";
const zoned = new Intl.DateTimeFormat(isEnglish ? "en" : "ru", {
  year: "numeric", month: isEnglish ? "short" : "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short",
});
for (const time of document.querySelectorAll("time[datetime]")) {
  const parts = zoned.formatToParts(new Date(time.dateTime)).map(({ type, value }) => [type, value]);
  const { day, month, year, hour, minute, timeZoneName } = Object.fromEntries(parts);
  time.textContent = `${[day, month, year].join(isEnglish ? " " : ".")}, ${hour}:${minute} ${timeZoneName}`;
}

// Where a table has no room for columns, its cells are stacked and named by them.
for (const table of document.querySelectorAll("table.rows")) {
  const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  for (const row of table.tBodies[0].rows) {
    [...row.cells].forEach((cell, index) => { cell.dataset.label = names[index]; });
  }
}

// The token of a letter's link stands in the fragment, which only the browser knows. It goes into the form
// that the reader sends; nothing is sent without them, since programs that look for viruses run scripts too.
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  const place = document.querySelector("[data-paste]");
  if (!token || !place) return;
  place.querySelector("input").value = token;
  place.hidden = true;
  // A redirect keeps the fragment of the address that was asked for: the token survives another language.
  const languages = document.querySelector("form.languages");
  languages.action = languages.action.split("#")[0] + location.hash;
}
takeToken();
addEventListener("hashchange", takeToken);

// A link is copied with one press, where the browser lets a page do so.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue; // only over TLS, or on one's own machine
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy).then(
      () => { button.parentElement.querySelector("[role=status]").textContent = button.dataset.done; },
      () => { button.hidden = true; }, // it is not allowed: the link is there to be marked
    );
  });
}

// The link goes to the apps of a phone.
for (const button of document.querySelectorAll("[data-share]")) {
  const shared = { text: button.dataset.text, url: button.dataset.share };
  if (!navigator.canShare?.(shared)) continue;
  button.hidden = false;
  button.addEventListener("click", () => navigator.share(shared).catch(() => {})); // the reader closed the list
}

// A password can be shown.
for (const button of document.querySelectorAll(".reveal")) {
  const field = document.getElementById(button.getAttribute("aria-controls"));
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
  });
}

// The account menu closes with Escape, and when another part of the page is used.
const menu = document.querySelector("details.menu");
if (menu) {
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  for (const kind of ["click", "focusin"]) {
    addEventListener(kind, (event) => { if (!menu.contains(event.target)) menu.open = false; });
  }
}

// A form is sent once, however often its button is pressed; but for a download, which leaves the page as it is.
// It can be sent again when the page is still here: after Back, after Stop, or where a browser does not report
// Stop, after some seconds.
const PATIENCE = 8000;
function allowAgain() {
  for (const form of document.forms) delete form.dataset.sent;
}
for (const form of document.forms) {
  if ("again" in form.dataset) continue;
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    else setTimeout(allowAgain, PATIENCE);
    form.dataset.sent = "yes";
  });
}
addEventListener("pageshow", allowAgain);
globalThis.navigation?.addEventListener("navigateerror", allowAgain);

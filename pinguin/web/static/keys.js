// Keys: to search, to walk through a list and its last checks, to go to a page. They can be turned off.
"use strict";

const PLACES = { d: "/", m: "/monitors", i: "/incidents", c: "/channels", w: "/maintenance", s: "/sql" };
let going = 0;

function typing(element) {
  return element.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable], dialog[open]");
}

// Monitors, or where there are none incidents; on the dashboard what is down, slow, quiet and over.
const ROWS = ".row, .incident, .trouble";

function rowOf(element) {
  return element && element.closest(ROWS);
}

function linkOf(row) {
  return row.querySelector(".who > a, .line a");
}

function moveTo(step) {
  const rows = [...document.querySelectorAll(ROWS)].filter(linkOf);
  if (!rows.length) return;
  const at = rows.indexOf(rowOf(document.activeElement));
  const next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))];
  linkOf(next).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function tick() {
  const row = rowOf(document.activeElement);
  const box = row && row.querySelector("input.pick, .mark input");
  if (box) box.click();
}

function showKeys() {
  const dialog = document.getElementById("keys");
  if (dialog && !dialog.open) dialog.showModal();
}

// The last checks of the row, or of the page's monitor, one after the other; the newest first.
function walkBeats(step) {
  const near = document.activeElement.closest(".row") || (document.activeElement.matches("svg.beats") && document.activeElement.parentElement);
  const bar = near && near.querySelector("svg.beats");
  const marks = bar ? [...bar.children].filter((mark) => mark.matches(":not(.b-void)")) : [];
  if (!marks.length) return false;
  const now = marks.findIndex((mark) => mark.classList.contains("on"));
  const at = now < 0 ? marks.length - 1 : Math.min(marks.length - 1, Math.max(0, now + step));
  for (const mark of document.querySelectorAll(".beats .on")) mark.classList.remove("on");
  marks[at].classList.add("on");
  const text = words(marks[at]);
  const tip = document.getElementById("tip");
  tip.replaceChildren(...text.split(" · ").map((line) => Object.assign(document.createElement("span"), { textContent: line })));
  tip.hidden = false;
  const box = marks[at].getBoundingClientRect();
  tip.style.left = `${Math.min(Math.max(8, box.left - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.max(8, bar.getBoundingClientRect().top - tip.offsetHeight - 8)}px`;
  document.getElementById("said").textContent = text;
  return true;
}

function hideBeat() {
  const marked = document.querySelector(".beats .on");
  if (!marked) return false;
  marked.classList.remove("on");
  document.getElementById("tip").hidden = true;
  return true;
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === "Escape" && (hideBeat() || event.target.id === "q")) {
    event.preventDefault(); // a browser would empty the search, and a moment later draw another list under the keys
    event.target.blur();
    return;
  }
  if (typing(event.target)) return;
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    if (walkBeats(event.key === "ArrowRight" ? 1 : -1)) event.preventDefault();
    return;
  }
  if (localStorage.getItem("keys") === "off") return;
  if (Date.now() - going < 1500 && PLACES[event.key]) {
    location.assign(PLACES[event.key]);
    return;
  }
  going = event.key === "g" ? Date.now() : 0;
  const search = document.querySelector("main input[type=search]");
  if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "j" || event.key === "k") moveTo(event.key === "j" ? 1 : -1);
  else if (event.key === "x") tick();
  else if (event.key === "?") showKeys();
}

document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.getElementById("keys");
  if (!dialog) return;
  const said = Object.assign(document.createElement("p"), { id: "said", className: "sr" });
  said.setAttribute("aria-live", "polite");
  document.body.append(said);
  for (const button of document.querySelectorAll("[data-keys]")) {
    button.hidden = false;
    button.addEventListener("click", showKeys);
  }
  const use = dialog.querySelector("input");
  use.checked = localStorage.getItem("keys") !== "off";
  use.addEventListener("change", () => {
    if (use.checked) localStorage.removeItem("keys");
    else localStorage.setItem("keys", "off");
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.addEventListener("keydown", pressed);
  document.addEventListener("focusout", hideBeat);
});
